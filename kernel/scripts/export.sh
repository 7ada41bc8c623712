#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# export.sh DIR: write the series as mail-ready patches, with the new files in
# them. A patch's file in kernel/patches starts with "From:" and "Subject:".
. "$(dirname "$0")/common.sh"

[ $# -eq 1 ] || die "usage: export.sh DIR"
dir=$(rooted "$1")
enter "$dir"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME=$work
# header PATCH NAME: a field of the patch's header.
header() { sed -n "1,/^\$/s/^$2: *//p" "$KERNEL/patches/$1" | head -n1; }
# message PATCH: subject and body, up to "---" or the first diff.
message() {
	header "$1" Subject | sed 's/^\[[^]]*\] *//'
	echo
	sed -e '1,/^$/d' "$KERNEL/patches/$1" | sed -e '/^---/,$d' -e '/^diff /,$d'
}

check_series
pristine
[ -n "$(patches)" ] || die "the series has no patches"
git init -q "$work/git"
cd "$work/git"
git config core.abbrev 12
stage . none
git add -A
git -c user.name=base -c user.email=base@localhost commit -q --allow-empty -m "$SOURCE_PACKAGE $SOURCE_VERSION"
for patch in $(patches); do
	from=$(header "$patch" From)
	[ -n "$from" ] && [ -n "$(header "$patch" Subject)" ] || die "$patch has no From: or no Subject: line"
	apply "$patch" .
	git add -A
	GIT_COMMITTER_NAME=${from%% <*} GIT_COMMITTER_EMAIL=$(sed 's/.*<\(.*\)>.*/\1/' <<<"$from") \
		git commit -q --allow-empty --author="$from" --cleanup=verbatim -F <(message "$patch")
done
rm -rf "$dir"
mkdir -p "$dir"
git format-patch -q --zero-commit --no-signature --always -o "$dir" "$(git rev-list --max-parents=0 HEAD)"
say "$(find "$dir" -name '*.patch' | wc -l) patches in $dir"
