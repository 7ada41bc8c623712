#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# prepare.sh [--only DIR,DIR...] [--upto PATCH|none] [--force] DEST
# Make DEST the pinned kernel source with the series applied, or only some
# directories of it. A second run changes only the files that differ, so that
# builds on it are incremental.
. "$(dirname "$0")/common.sh"

usage() { die "usage: prepare.sh [--only DIR,DIR...] [--upto PATCH|none] [--force] DEST"; }

only='' upto='' force=''
while [ $# -gt 1 ]; do
	case $1 in
	--only) only=$2; shift 2 ;;
	--upto) upto=$2; shift 2 ;;
	--force) force=1; shift ;;
	*) usage ;;
	esac
done
[ $# -eq 1 ] && [ "${1#-}" = "$1" ] || usage
dest=$(rooted "$1")
enter ${only:+--only "$only"} ${upto:+--upto "$upto"} ${force:+--force} "$dest"

state=$dest/.fuse-bpf

# Is a file of the tree in the part of it that was asked for?
wanted() {
	local dir

	[ -n "$only" ] || return 0
	for dir in ${only//,/ }; do
		case $1 in "$dir"/*) return 0 ;; esac
	done
	return 1
}

# Fill DEST with the pristine source: links where that is possible, but true
# copies of the directories in which files are likely to be edited.
populate() {
	local dir base="$SOURCE_VERSION ${KERNEL_SRC:-} $only"

	[ "$(cat "$state/base" 2>/dev/null)" != "$base" ] || return 0
	[ ! -e "$dest" ] || [ -e "$state" ] || [ -z "$(ls -A "$dest")" ] ||
		die "$dest is not empty and was not made by prepare.sh"
	rm -rf "$dest"
	mkdir -p "$dest"
	if [ -n "$only" ]; then
		for dir in ${only//,/ }; do
			[ -d "$PRISTINE/$dir" ] || die "the kernel has no directory $dir"
			mkdir -p "$dest/$dir"
			cp -a "$PRISTINE/$dir/." "$dest/$dir/"
		done
	else
		say "making $dest"
		need_space "$dest" 4
		# Links cannot cross the root's bind mounts.
		cp -al "$PRISTINE/Kconfig" "$dest/" 2>/dev/null &&
			cp -al "$PRISTINE/." "$dest/" ||
			rsync -a --exclude=/.git "$PRISTINE/" "$dest/"
		for dir in fs/fuse include/uapi/linux include/linux $(touched | xargs -r dirname | sort -u); do
			find "$PRISTINE/$dir" -maxdepth 1 -type f -exec \
				cp -a --remove-destination -t "$dest/$dir" {} +
		done
	fi
	mkdir "$state"
	: >"$state/manifest"
	echo "$base" >"$state/base"
}

# put FROM FILE: replace a file of DEST, never through a hard link, unless
# somebody edited it since the last run.
put() {
	local from=$1 file=$2 known

	! cmp -s "$from" "$dest/$file" || return 0
	if [ -z "$force" ] && [ -e "$dest/$file" ]; then
		known=$(awk -v f="$file" '$2 == f { print $1 }' "$state/manifest")
		[ "$(sha256sum <"$dest/$file")" = "$known  -" ] || cmp -s "$PRISTINE/$file" "$dest/$file" ||
			die "$file was edited in $dest; run kernel/scripts/refresh.sh, or prepare.sh --force to drop the edit"
	fi
	mkdir -p "$(dirname "$dest/$file")"
	cp "$from" "$dest/$file.new"
	mv -f "$dest/$file.new" "$dest/$file"
}

prepare() {
	local file tmp

	populate
	tmp=$(mktemp -d)
	stage "$tmp" "$upto"
	(cd "$tmp" && find . -type f -printf '%P\n' | sort) >"$state/files"
	while read -r file; do
		! wanted "$file" || put "$tmp/$file" "$file"
	done <"$state/files"
	# What an earlier run changed and this series does not.
	awk '{ print $2 }' "$state/manifest" | sort | comm -23 - "$state/files" |
		while read -r file; do
			if [ -e "$PRISTINE/$file" ]; then
				put "$PRISTINE/$file" "$file"
			else
				rm -f "$dest/$file"
			fi
		done
	while read -r file; do
		! wanted "$file" || (cd "$tmp" && sha256sum "$file")
	done <"$state/files" >"$state/manifest.new"
	mv "$state/manifest.new" "$state/manifest"
	rm -rf "$tmp"
}

check_series
[ -z "$upto" ] || [ "$upto" = none ] || patches | grep -qxF "$upto" || die "no patch $upto in kernel/series"
pristine
locked "prepare-$(printf %s "$dest" | sha256sum | cut -c1-8)" prepare
