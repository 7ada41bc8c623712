#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# export.sh DIR: write the series as mail-ready patches, with the new files in
# them, so that git am applies them to the pinned kernel.
. "$(dirname "$0")/common.sh"

[ $# -eq 1 ] || die "usage: export.sh DIR"
dir=$(rooted "$1")
enter "$dir"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ -n "$(patches)" ] || die "the series has no patches"
check_series
pristine
git_base "$work/git"
for patch in $(patches); do
	git_am "$patch"
	for file in $(added "$patch"); do
		install -D -m 644 "$KERNEL/files/$file" "$file"
		git add "$file"
	done
	git commit -q --amend --no-edit --allow-empty
done
rm -rf "$dir"
mkdir -p "$dir"
git -c core.abbrev=12 format-patch -q --zero-commit --no-signature --always -o "$dir" base
say "$(find "$dir" -name '*.patch' | wc -l) patches in $dir"
