#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check_pages.sh COMMAND: is all that "fuse-bpf help" has on its manual page and in the
# completion of bash, and are the pages clean? Prints what is not, and ends with 1.
set -u
cd "$(dirname "$0")" || exit 1

COMMAND=$1
PAGE=man/fuse-bpf.8
bad=0

complain() {
	echo "$1" >&2
	bad=1
}

# What the help says of each command: "COMMAND REST", with what follows on more lines
usage() {
	"$COMMAND" help | sed -n '/^  [a-z]/,/^$/p' | awk '
		/^  [a-z]/ { if (line) print line; line = ""; }
		/^  / { gsub(/^ +/, ""); line = line (line ? " " : "") $0 }
		END { print line }'
}

# Words to be typed as they are: not in capitals
keywords() { tr -s ' []{}|().=' '\n' | grep -xE -- '-?-?[a-z][a-z_-]*' | sort -u; }

# offers WORD...: what bash offers after these words of the command line
offers() {
	COMP_WORDS=(fuse-bpf "$@" "") COMP_CWORD=$(($# + 1))
	_fuse_bpf
	printf '%s\n' "${COMPREPLY[@]}"
}

# All that is offered behind a command, at the places where words can stand
offered() {
	local words=("$@")

	offers "${words[@]}"
	offers "${words[@]}" x
	offers "${words[@]}" x y
	offers "${words[@]}" map
	offers "${words[@]}" x verdict
}

# The page writes a minus that is typed as \-
page() { sed -e 's/\\-/-/g' -e 's/\\f[A-Z]/ /g' "$PAGE"; }

check_command() {
	local command=$1 word missing

	page | grep -qxF ".B $command" || complain "$PAGE: says nothing of '$command'"
	page | grep -q "^.B fuse-bpf $command" || complain "$PAGE: '$command' is not in the synopsis"
	offers | grep -qxF -- "$command" || complain "completion: '$command' is not offered"
	missing=$(usage | grep "^$command\( \|$\)" | sed "s/^$command//" | keywords)
	for word in $missing; do
		page | grep -qwF -- "$word" || complain "$PAGE: '$command' has no '$word'"
		{ offered "$command"; offered policy "$word"; offered policy diff; offered policy log; } |
			grep -qxF -- "$word" || complain "completion: '$command' does not offer '$word'"
	done
}

check_clean() {
	local complaints

	# Who builds it elsewhere may have none; the root has
	type mandoc >/dev/null 2>&1 || { echo "no mandoc: the pages are not checked" >&2 && return; }
	# Titles are in lower case, as the names are, and lines as long as in all texts here
	complaints=$(mandoc -Tlint -Wstyle man/* |
		grep -v 'referenced manual not found\|lower case character in doc\|longer than 80 bytes')
	[ -z "$complaints" ] || complain "$complaints"
}

# shellcheck disable=SC1091
. completion/fuse-bpf
compopt() { :; }
commands=$(usage | awk '{ print $1 }' | sort -u)
[ "$(wc -w <<<"$commands")" -gt 15 ] || complain "the help names no commands"
for command in $commands; do
	check_command "$command"
done
check_clean
exit $bad
