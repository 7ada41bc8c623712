#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# [PATCH=NAME] refresh.sh [TREE]	take over the edits of a prepared tree
# refresh.sh --check			fail if the patches are not as refresh leaves them
# TREE is what prepare.sh made, $CACHE/edit by default. New files go back to
# kernel/files. Changes of existing files go to the patch PATCH, else to the
# last one that changes the file, else to the last one. All patches are written
# anew in one form: sorted, with function names, without dates.
. "$(dirname "$0")/common.sh"

check='' tree=''
case ${1:-} in
--check) check=1 ;;
*) tree=$(rooted "${1:-$CACHE/edit}") ;;
esac
if [ -z "${FUSE_BPF_INSIDE:-}" ]; then
	exec "$TOP/selftests/vm/enter.sh" env PATCH="${PATCH:-}" /src/kernel/scripts/refresh.sh "${tree:---check}"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export QUILT_PATCHES=$work/patches QUILT_SERIES=$work/patches/series QUILT_NO_DIFF_INDEX=1
export QUILT_DIFF_OPTS=-p QUILT_REFRESH_ARGS='-p ab --no-timestamps --no-index --sort'
export QUILT_PUSH_ARGS='' QUILT_PAGER='' QUILTRC=/dev/null

# The files of the tree that somebody may have edited.
candidates() {
	{
		cat "$tree/.fuse-bpf/files"
		find "$tree" -path "$tree/.fuse-bpf" -prune -o -type f -newer "$tree/.fuse-bpf/base" \
			! -name '*~' ! -name '.*' ! -name '*.orig' ! -name '*.rej' ! -name '*.o' -printf '%P\n'
	} | sort -u
}

# Copy edited new files back.
collect_new() {
	local file

	while read -r file; do
		[ -e "$tree/$file" ] || die "$file is gone from $tree; to drop it, remove it from kernel/files and kernel/series"
		! cmp -s "$tree/$file" "$KERNEL/files/$file" || continue
		say "kernel/files/$file"
		install -D -m 644 "$tree/$file" "$KERNEL/files/$file"
	done < <(candidates | grep -xFf <(added))
}

# before FILE: where it lies as the series leaves it now.
before() {
	if [ -e "$work/final/$1" ]; then echo "$work/final/$1"; else echo "$PRISTINE/$1"; fi
}

# Put the other edited files to $work/edit.
collect_edits() {
	local file

	while read -r file; do
		[ -e "$PRISTINE/$file" ] ||
			die "$file is new in $tree: add the line '#+ $file' after its patch's line in kernel/series"
		[ -e "$tree/$file" ] || continue
		cmp -s "$(before "$file")" "$tree/$file" || install -D -m 644 "$tree/$file" "$work/edit/$file"
	done < <(candidates | grep -vxFf <(added; echo /))
}

# last_of FILE: the last patch that changes it, else the last of the series.
last_of() {
	local patch last=''

	for patch in $(patches); do
		! touched "$patch" | grep -qxF "$1" || last=$patch
	done
	echo "${last:-$(patches | tail -n1)}"
}

# take PATCH: the edits that belong to it, in the quilt tree.
take() {
	local patch=$1 file

	while read -r file; do
		[ "${PATCH:-$(last_of "$file")}" = "$patch" ] || continue
		quilt files | grep -qxF "$file" || quilt add "$file" >/dev/null
		diff -u "$(before "$file")" "$work/edit/$file" >"$work/delta" || :
		patch -s --no-backup-if-mismatch "$file" "$work/delta" ||
			die "the edit of $file does not fit $patch; name another with PATCH="
		say "$patch takes the change of $file"
	done < <(edits)
}

edits() { (cd "$work/edit" && find . -type f -printf '%P\n' | sort); }

# All patches anew, by quilt, in a tree of just the files concerned.
rewrite() {
	local patch file

	cp -r "$KERNEL/patches" "$QUILT_PATCHES"
	patches >"$QUILT_SERIES"
	while read -r file; do
		install -D -m 644 "$PRISTINE/$file" "$work/tree/$file"
	done < <({ touched; edits; } | sort -u)
	cd "$work/tree"
	for patch in $(patches); do
		if [ -n "$(touched "$patch")" ]; then
			quilt push >"$work/log" 2>&1 || {
				cat "$work/log" >&2
				die "$patch does not apply any more"
			}
		else	# quilt takes no patch without a diff
			rm "$QUILT_PATCHES/$patch"
			sed -i "/^$patch\$/d" "$QUILT_SERIES"
			quilt new "$patch" >/dev/null
			quilt header -r <"$KERNEL/patches/$patch" >/dev/null
		fi
		take "$patch"
		[ -n "$(quilt files)" ] || { cp "$KERNEL/patches/$patch" "$QUILT_PATCHES/"; continue; }
		quilt refresh >"$work/log" 2>&1 || {
			cat "$work/log" >&2
			die "quilt cannot refresh $patch"
		}
	done
	cd "$TOP"
}

[ -z "${PATCH:-}" ] || patches | grep -qxF "$PATCH" || die "no patch $PATCH in kernel/series"
[ -n "$(patches)" ] || { say "the series has no patches"; exit; }
mkdir -p "$work/edit" "$work/tree" "$work/final"
pristine full
if [ -n "$tree" ]; then
	[ -e "$tree/.fuse-bpf/base" ] || die "$tree was not made by prepare.sh"
	collect_new
	check_series
	stage "$work/final"
	collect_edits
fi
check_series
rewrite
for patch in $(patches); do
	! cmp -s "$QUILT_PATCHES/$patch" "$KERNEL/patches/$patch" || continue
	[ -z "$check" ] || {
		diff -u "$KERNEL/patches/$patch" "$QUILT_PATCHES/$patch" >&2 || :
		die "$patch is not as refresh.sh writes it; run kernel/scripts/refresh.sh"
	}
	cat "$QUILT_PATCHES/$patch" >"$KERNEL/patches/$patch"
	say "kernel/patches/$patch is new"
done
[ -z "$tree" ] || "$TOP/kernel/scripts/prepare.sh" "$tree"
