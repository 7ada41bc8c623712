#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# git_test.sh: git keeps what stat(2) says of each file in its index, maps its packs,
# locks by exclusive creation and replaces by rename.
set -u
. "$(dirname "$0")/../harness/programs.sh"

export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_AUTHOR_DATE='2001-01-01T00:00Z'
export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_COMMITTER_DATE='2001-01-01T00:00Z'
export GIT_CONFIG_NOSYSTEM=1 HOME=$TOP
printf '[gc]\n\tauto = 0\n[safe]\n\tdirectory = *\n[init]\n\tdefaultBranch = main\n' >"$TOP/.gitconfig"

# 40 commits; each changes a file, adds one and appends to a third.
history() {
	local i text

	for i in {1..40}; do
		text=$(printf 'line %s of %d\n' a "$i" b "$i" c "$i")
		printf 'commit refs/heads/main\ncommitter a <a@b> %d +0000\ndata 2\n%02d\n' $((1000000000 + i)) "$i"
		printf 'M 100644 inline dir%d/file%d\ndata %d\n%s\n' $((i % 4)) $((i % 10)) ${#text} "$text"
		printf 'M 100755 inline bin/tool%d\ndata 5\n%04d\n' "$i" "$i"
		printf 'M 120000 inline links/l%d\ndata 8\n../file%d\n\n' "$i" $((i % 10))
	done
	echo 'done'
}

plan 4
git init -q --bare "$SOURCE/repo.git"
history | git -C "$SOURCE/repo.git" fast-import --quiet --done

program 'git: clone, status, gc, fsck' '
	git clone -q --no-local "$SOURCE/repo.git" c; cd c; git status --porcelain; git rev-parse HEAD^{tree}
	git fsck --full --strict --no-dangling; git repack -q -a -d -f; git gc -q --prune=now; git fsck --full --strict
	git count-objects -v | grep -E "^(count|in-pack|packs|garbage)"; git log --format=%s | wc -l
	# What the index says of the files is what they are if seen directly, too.
	git -C "$DIRECT/c" diff-files --quiet && echo same; rm -rf .git'
program 'git: edit, commit, merge, rebase' '
	git clone -q "file://$SOURCE/repo.git" c; cd c; git checkout -q -b side HEAD~5; seq 500 >dir1/new; git add .
	git commit -qm side; git mv dir1/new dir2/renamed; chmod -x bin/tool1; git status --short; git commit -qam two
	git checkout -q main; git merge -q --no-edit side; git rebase -q HEAD~3 side; git stash list
	echo x >>dir2/renamed; git stash -q; git status --short; git stash pop -q; git diff --stat
	git checkout -q -- .; git clean -fdxq; git log --oneline --all | wc -l; git fsck; rm -rf .git'
program 'git: worktrees and hard links between repositories' '
	git clone -q --bare "$SOURCE/repo.git" a; git clone -q --local a b; find a/objects -type f -links +1 | wc -l
	git -C b worktree add -q ../w HEAD~7; git -C w status --porcelain; git -C w rev-parse HEAD
	git -C b worktree remove ../w; git -C b fsck; [ ! -e w ]; rm -rf a b/.git'
program 'git: two that write at once' '
	git init -q r; cd r; git commit -q --allow-empty -m first
	add() { for i in {1..8}; do git update-ref "refs/heads/$1$i" HEAD; git tag "$1-$i"; done; }
	add x & add y; wait; git for-each-ref | wc -l; git pack-refs --all; git for-each-ref | wc -l; git fsck; rm -rf .git'
finish
