# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the scripts around the patch series share: how to get into the root,
# and how the series is read. Sourced, never run.
. "$(dirname "${BASH_SOURCE[0]}")/../../selftests/vm/lib.sh"

KERNEL=$TOP/kernel
SERIES=$KERNEL/series
PRISTINE=$CACHE/linux-$SOURCE_VERSION
J=${J:-$(nproc)}

# All tools are the root's. Call as: enter "$@"
enter() {
	[ -n "${FUSE_BPF_INSIDE:-}" ] && return
	exec "$TOP/selftests/vm/enter.sh" "/src/kernel/scripts/$(basename "$0")" "$@"
}

# rooted PATH: the same path as seen inside the root, where only the checkout
# and the cache are visible.
rooted() {
	local path

	[ -z "${FUSE_BPF_INSIDE:-}" ] || { realpath -ms "$1"; return; }
	path=$(realpath -ms "$1")
	case $path/ in
	"$TOP"/*) echo "/src${path#"$TOP"}" ;;
	"$CACHE"/*) echo "/cache${path#"$CACHE"}" ;;
	*) die "$1 must lie below the checkout ($TOP) or the cache ($CACHE)" ;;
	esac
}

# The patches' names, in order; series is in quilt's format.
patches() { sed -e '/^[[:space:]]*#/d' -e '/^[[:space:]]*$/d' -e 's/[[:space:]].*//' "$SERIES"; }

# added [PATCH]: the new files of one patch, or of all: the "#+ FILE" lines
# that follow a patch's line.
added() {
	awk -v want="${1:-}" '
		/^#\+ / { if (want == "" || at == want) print $2; next }
		/^[[:space:]]*(#|$)/ { next }
		{ at = $1 }' "$SERIES"
}

# touched [PATCH]: the existing files that one patch, or any, changes.
touched() {
	local patch

	for patch in ${1:-$(patches)}; do
		sed -n 's,^+++ b/\([^[:space:]]*\).*,\1,p' "$KERNEL/patches/$patch"
	done | sort -u
}

# The series file, the patches and the new files must agree.
check_series() {
	local bad patch

	for patch in $(patches); do
		[ -f "$KERNEL/patches/$patch" ] || die "kernel/series names $patch, which is not in kernel/patches"
		! grep -q '^+++ /dev/null' "$KERNEL/patches/$patch" || die "$patch removes a file, which the series' format cannot express"
	done
	bad=$(cd "$KERNEL/patches" && find . -type f -name '*.patch' -printf '%P\n' | sort | comm -23 - <(patches | sort))
	[ -z "$bad" ] || die "not named in kernel/series: kernel/patches/"$bad
	bad=$(comm -3 <(cd "$KERNEL/files" && find . -type f ! -name '.*' -printf '%P\n' | sort) <(added | sort))
	[ -z "$bad" ] || die "kernel/files and the '#+' lines of kernel/series differ in: "$bad
	bad=$(comm -12 <(touched) <(added | sort))
	[ -z "$bad" ] || die "a patch changes a file that the series adds (edit it in kernel/files): "$bad
}

# apply PATCH TREE: one step of the series. With STRICT=1 an offset fails too.
apply() {
	local patch=$1 tree=$2 file log

	if [ -n "$(touched "$patch")" ]; then
		log=$(patch -d "$tree" -p1 --fuzz=0 --forward --no-backup-if-mismatch \
			-i "$KERNEL/patches/$patch") || {
			echo "$log" >&2
			die "$patch does not apply to $SOURCE_PACKAGE $SOURCE_VERSION"
		}
		[ -z "${STRICT:-}" ] || ! grep -q offset <<<"$log" || {
			grep offset <<<"$log" >&2
			die "$patch applies with an offset; run kernel/scripts/refresh.sh"
		}
	fi
	for file in $(added "$patch"); do
		[ ! -e "$PRISTINE/$file" ] || die "$patch adds $file, which the kernel has already"
		install -D -m 644 "$KERNEL/files/$file" "$tree/$file"
	done
}

# stage TREE [LAST]: in an empty TREE, all files that the series has to do with,
# after all patches or after patch LAST.
stage() {
	local tree=$1 last=${2:-} file patch

	for file in $(touched); do
		[ -f "$PRISTINE/$file" ] || die "the series changes $file, which is not in $SOURCE_VERSION"
		install -D -m 644 "$PRISTINE/$file" "$tree/$file"
	done
	[ "$last" != none ] || return 0
	for patch in $(patches); do
		apply "$patch" "$tree"
		[ "$patch" != "$last" ] || break
	done
}

unpack() {
	local tar=/usr/src/$SOURCE_TARBALL have

	[ ! -e "$PRISTINE.ok" ] || return 0
	have=$(dpkg-query -W -f '${Version}' "$SOURCE_PACKAGE" 2>/dev/null) || have=none
	[ "$have" = "$SOURCE_VERSION" ] ||
		die "the Debian archive has $SOURCE_PACKAGE $have now, not $SOURCE_VERSION; give KERNEL_SRC=<an unpacked tree of that>"
	[ "$(sha256sum <"$tar")" = "$SOURCE_SHA256  -" ] ||
		die "$SOURCE_TARBALL is not the one that kernel/BASE names by its checksum; give KERNEL_SRC=<an unpacked tree of $SOURCE_VERSION>"
	need_space "$CACHE" 4
	say "unpacking $SOURCE_TARBALL (about 20 s, once)"
	rm -rf "$PRISTINE" "$PRISTINE.part"
	mkdir "$PRISTINE.part"
	tar -C "$PRISTINE.part" --strip-components=1 -xf "$tar" --checkpoint=40000 \
		--checkpoint-action=echo='[prepare] %{}T' || die "cannot unpack $tar"
	mv "$PRISTINE.part" "$PRISTINE"
	touch "$PRISTINE.ok"
}

# Have the unpatched source in $PRISTINE: KERNEL_SRC's when that is given.
pristine() {
	local bad=''

	if [ -n "${KERNEL_SRC:-}" ]; then
		PRISTINE=$KERNEL_SRC
		say "using KERNEL_SRC instead of $SOURCE_PACKAGE $SOURCE_VERSION"
		return
	fi
	locked pristine unpack
	# Prepared trees are hard links to it: an editor may have written through one.
	[ -z "${1:-}" ] || bad=$(find "$PRISTINE" -newer "$PRISTINE.ok" -type f -print -quit)
	[ -z "$bad" ] || die "$bad was changed in the pristine tree; remove $PRISTINE.ok to unpack it anew"
}

# git_base DIR [FILES]: go to a new git repository of the unpatched versions of
# the files that the series touches, and of those named.
git_base() {
	local file

	export GIT_CONFIG_GLOBAL=/dev/null
	export GIT_COMMITTER_NAME=fuse-bpf GIT_COMMITTER_EMAIL=fuse-bpf@localhost
	git init -q -b main "$1"
	cd "$1"
	for file in $(touched) ${2:-}; do
		install -D -m 644 "$PRISTINE/$file" "$file"
	done
	git add -A
	git commit -q --allow-empty --author "fuse-bpf <fuse-bpf@localhost>" -m "$SOURCE_PACKAGE $SOURCE_VERSION"
	git tag base
}

# git_am PATCH: commit a patch of the series as it is in kernel/patches.
git_am() {
	git am -q --empty=keep "$KERNEL/patches/$1" >&2 || die "$1 does not apply, or is no mail (From:, Date:, Subject:)"
}

# The next two work on the trees in $src and $obj.
kmake() { make -s -C "$src" O="$obj" -j"$J" "$@"; }

# The debug kernel's configuration: tinyconfig with the fragments; a line of
# them that Kconfig did not honour is an error.
configure() {
	local lost fragments=("$KERNEL/config/debug.config")

	! grep -q '^config FUSE_FILTER$' "$src/fs/fuse/Kconfig" || fragments+=("$KERNEL/config/filter.config")
	kmake tinyconfig &&
		"$src/scripts/kconfig/merge_config.sh" -m -O "$obj" "$obj/.config" "${fragments[@]}" &&
		kmake olddefconfig || return
	lost=$(sed -n -e '/^CONFIG_/p' -e 's/^# \(CONFIG_[A-Z0-9_]*\) is not set$/\1=n/p' "${fragments[@]}" |
		while IFS='=' read -r name value; do
			[ "$(sed -n "s/^$name=//p" "$obj/.config")" = "${value#n}" ] || echo "$name"
		done)
	[ -z "$lost" ] || die "the kernel's Kconfig did not take: "$lost
}
