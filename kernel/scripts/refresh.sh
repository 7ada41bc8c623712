#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# [PATCH=NAME] refresh.sh [TREE]	take over the edits of a prepared tree
# refresh.sh --check			fail if a patch is not as refresh writes it
# TREE is what prepare.sh made, edit in the cache by default. New files go back
# to kernel/files. Changes of existing files go to the patch PATCH, else to the
# last one that changes the file, else to the last one. All patches are written
# anew, as git format-patch does, less the hashes of blobs that nobody has.
. "$(dirname "$0")/common.sh"

check='' tree=''
case ${1:-} in
--check) check=1 ;;
-*) die "usage: [PATCH=NAME] refresh.sh [TREE | --check]" ;;
*) tree=$(rooted "${1:-$CACHE/edit}") ;;
esac
if [ -z "${FUSE_BPF_INSIDE:-}" ]; then
	exec "$TOP/selftests/vm/enter.sh" env PATCH="${PATCH:-}" /src/kernel/scripts/refresh.sh "${tree:---check}"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/edit" "$work/final" "$work/new"

# The files of the tree that were edited since prepare.sh wrote them.
edited() {
	local file

	{
		cat "$tree/.fuse-bpf/files"
		find "$tree" -path "$tree/.fuse-bpf" -prune -o -type f -newer "$tree/.fuse-bpf/base" \
			! -name '*~' ! -name '.*' ! -name '*.orig' ! -name '*.rej' ! -name '*.o' -printf '%P\n'
	} | sort -u | while read -r file; do
		[ -e "$tree/$file" ] || continue
		[ "$(sha256sum <"$tree/$file")" = "$(prepared "$file")  -" ] || echo "$file"
	done
}

# prepared FILE: the checksum of what prepare.sh wrote; else of the pristine file.
prepared() {
	local sum

	sum=$(awk -v f="$1" '$2 == f { print $1 }' "$tree/.fuse-bpf/manifest")
	[ -n "$sum" ] || [ ! -e "$PRISTINE/$1" ] || sum=$(sha256sum <"$PRISTINE/$1" | cut -d' ' -f1)
	echo "$sum"
}

# unmoved FILE NOW: an edit can be taken only if the checkout still has what was
# edited.
unmoved() {
	[ ! -e "$2" ] || [ "$(sha256sum <"$2")" = "$(prepared "$1")  -" ] || cmp -s "$2" "$tree/$1" ||
		die "$1 was changed both in $tree and in the checkout since prepare.sh ran; merge by hand"
}

# Copy edited new files back.
collect_new() {
	local file

	while read -r file; do
		unmoved "$file" "$KERNEL/files/$file"
		install -D -m 644 "$tree/$file" "$KERNEL/files/$file"
		say "kernel/files/$file"
	done < <(grep -xFf <(added) "$work/edited")
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
		unmoved "$file" "$(before "$file")"
		install -D -m 644 "$tree/$file" "$work/edit/$file"
	done < <(grep -vxFf <(added; echo /) "$work/edited")
}

edits() { (cd "$work/edit" && find . -type f -printf '%P\n' | sort); }

# last_of FILE: the last patch that changes it, else the last of the series.
last_of() {
	local patch last=''

	for patch in $(patches); do
		! touched "$patch" | grep -qxF "$1" || last=$patch
	done
	echo "${last:-$(patches | tail -n1)}"
}

# take PATCH: the edits that belong to it, into the commit just made.
take() {
	local patch=$1 file

	while read -r file; do
		[ "${PATCH:-$(last_of "$file")}" = "$patch" ] || continue
		diff -u "$(before "$file")" "$work/edit/$file" >"$work/delta" || :
		patch -s --no-backup-if-mismatch "$file" "$work/delta" ||
			die "the edit of $file does not fit $patch; name another with PATCH="
		git add "$file"
		git commit -q --amend --no-edit --allow-empty
		say "$patch takes the change of $file"
	done < <(edits)
}

[ -z "${PATCH:-}" ] || patches | grep -qxF "$PATCH" || die "no patch $PATCH in kernel/series"
[ -n "$(patches)" ] || { say "the series has no patches"; exit; }
pristine full
if [ -n "$tree" ]; then
	[ -e "$tree/.fuse-bpf/base" ] || die "$tree was not made by prepare.sh"
	edited >"$work/edited"
	collect_new
	check_series
	stage "$work/final"
	collect_edits
fi
check_series
git_base "$work/git" "$(edits)"
for patch in $(patches); do
	git_am "$patch"
	take "$patch"
	git format-patch --stdout -1 -N --zero-commit --no-signature --always |
		sed -e '/^index [0-9a-f]*\.\./d' -e '${/^$/d}' >"$work/new/$patch"
done
for patch in $(patches); do
	! cmp -s "$work/new/$patch" "$KERNEL/patches/$patch" || continue
	[ -z "$check" ] || {
		diff -u "$KERNEL/patches/$patch" "$work/new/$patch" >&2 || :
		die "$patch is not as refresh.sh writes it; run kernel/scripts/refresh.sh"
	}
	cat "$work/new/$patch" >"$KERNEL/patches/$patch"
	say "kernel/patches/$patch is new"
done
[ -z "$tree" ] || "$TOP/kernel/scripts/prepare.sh" "$tree"
