#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# check.sh [series] [style] [build]: check the patch series, or only parts of it:
#  series  every patch applies without fuzz or offset, and is as refresh.sh writes it
#  style   checkpatch.pl --strict and kernel-doc have nothing to say
#  build   every step compiles, the last one also without our options, and W=1
#          and sparse say nothing that they do not say of the unpatched kernel
. "$(dirname "$0")/common.sh"
enter "$@"

src=$CACHE/check-src
obj=$CACHE/check-obj
log=$CACHE/check.log
export PYTHONDONTWRITEBYTECODE=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What checkpatch may say: type, an extended regular expression that its report
# must match, and why.
ALLOWED='
FILE_PATH_CHANGES  new.file.mode          # MAINTAINERS has all of fs/fuse/ and these names
CONST_STRUCT       fuse_backed_node_dir_iops  # made of two others at start; read-only after
SPACING            \+.fsparam_[a-z]+.\(   # the option table of fs/fuse/inode.c is laid out so
COMPLEX_MACRO         backed_trace.h      # trace events are declared like this everywhere
MACRO_ARG_UNUSED      backed_trace.h      # likewise
TRAILING_SEMICOLON    backed_trace.h      # likewise
PARENTHESIS_ALIGNMENT backed_trace.h      # likewise
OPEN_ENDED_LINE       backed_trace.h      # likewise
PARENTHESIS_ALIGNMENT fuse_trace.h        # likewise
OPEN_ENDED_LINE       fuse_trace.h        # likewise
ENOSYS                backed_identity.c   # what a daemon says to a request it does not know
ENOSYS                filter_ask.c        # likewise
ENOSYS                filter_req.c        # likewise
'
# Options of ours, or that ours must do without, that a kernel can be without.
OPTIONAL='FUSE_FILTER FUSE_BACKED FUSE_PASSTHROUGH FUSE_IO_URING'

check_patches() {
	say "series: drift and offsets"
	"$KERNEL/scripts/refresh.sh" --check
	mkdir "$work/strict"
	STRICT=1 stage "$work/strict"
}

# Reports of checkpatch that no line of ALLOWED covers. They are paragraphs.
not_allowed() {
	sed 's/^-----*$/\n/' | awk -v RS= -v allowed="$ALLOWED" '
		BEGIN {
			n = split(allowed, line, "\n")
			for (i = 1; i <= n; i++)
				if (split(line[i], f, / +/) > 2) { type[i] = f[1]; re[i] = f[2] }
		}
		/^[^ ]+\.patch$/ { file = $0; sub(/.*\//, "", file); next }
		/^(ERROR|WARNING|CHECK):/ {
			split($0, f, ":")
			for (i in type) if (f[2] == type[i] && $0 ~ re[i]) next
			print file ": " $0 "\n"
		}'
}

check_style() {
	local bad file

	say "style: checkpatch and kernel-doc"
	"$KERNEL/scripts/export.sh" "$work/mail"
	# It leaves a file where it runs, and fails when it has found something.
	cd "$work"
	perl "$PRISTINE/scripts/checkpatch.pl" --root="$PRISTINE" --strict --show-types \
		--no-summary mail/*.patch >style || [ $? -eq 1 ] || die "checkpatch.pl does not run"
	cd "$TOP"
	bad=$(not_allowed <"$work/style")
	[ -z "$bad" ] || { echo "$bad" >&2; die "checkpatch.pl --strict has complaints"; }
	bad=$(cd "$KERNEL/files" && added | grep '\.[ch]$' |
		xargs -r python3 "$PRISTINE/tools/docs/kernel-doc" -none -Wall 2>&1 | sort -u)
	[ -z "$bad" ] || { echo "$bad" >&2; die "kernel-doc has complaints"; }
}

# The directories that have something to compile.
dirs() { { touched; added; } | grep '\.[ch]$' | grep -v '^include/' | xargs -r dirname | sort -u | sed 's,$,/,'; }

# compile WHAT [MAKE-ARGUMENT]...
compile() {
	local what=$1

	shift
	# shellcheck disable=SC2046
	kmake "$@" $(dirs) >"$work/out" 2>&1 || {
		cat "$work/out" >>"$log"
		grep -E -A4 '(error|Error)' "$work/out" | head -n 20 >&2
		die "$what does not compile; log: $log"
	}
	cat "$work/out" >>"$log"
}

step() {
	"$KERNEL/scripts/prepare.sh" --upto "$1" "$src"
	configure >>"$log" 2>&1 || die "cannot configure $1; log: $log"
	kmake prepare >>"$log" 2>&1 || die "make prepare fails for $1; log: $log"
}

# warnings: those of the last compile, without line numbers, each once.
warnings() { sed -n "s,^$src/,,; s/:[0-9]*\(:[0-9]*\)\?: \(warning\|error\)/: \2/p" "$work/out" | sort -u; }

check_build() {
	local patch option new

	: >"$log"
	mkdir -p "$obj"
	say "build: the unpatched kernel, for comparison (the first time, some minutes)"
	step none
	[ -n "$(dirs)" ] || return 0
	compile "the unpatched kernel" W=1 C=2
	warnings >"$work/before"
	for patch in $(patches); do
		say "build: $patch"
		step "$patch"
		compile "the kernel after $patch"
		! grep -A4 'warning:' "$work/out" >&2 || die "the kernel compiles with warnings after $patch"
	done
	say "build: with W=1 and sparse"
	compile "the kernel with W=1 C=2" W=1 C=2
	new=$(warnings | comm -13 "$work/before" -)
	[ -z "$new" ] || { echo "$new" >&2; die "new warnings with W=1 C=2; log: $log"; }
	for option in $OPTIONAL; do
		grep -q "^CONFIG_$option=y" "$obj/.config" || continue
		say "build: without $option"
		cp "$obj/.config" "$work/config"
		"$src/scripts/config" --file "$obj/.config" -d "$option"
		kmake olddefconfig >>"$log" 2>&1
		! grep -q "^CONFIG_$option=y" "$obj/.config" || die "$option cannot be configured out"
		compile "the kernel without $option"
		! grep -A4 'warning:' "$work/out" >&2 || die "the kernel compiles with warnings without $option"
		cp "$work/config" "$obj/.config"
	done
}

parts=${*:-series style build}
check_series
pristine full
[ -n "$(patches)" ] || { say "the series has no patches"; exit; }
for part in $parts; do
	case $part in
	series) check_patches ;;
	style) check_style ;;
	build) locked check check_build ;;
	*) die "usage: check.sh [series] [style] [build]" ;;
	esac
done
say "all good"
