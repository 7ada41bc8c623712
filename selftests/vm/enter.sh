#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# enter.sh COMMAND...: run a command inside the Debian root, with the checkout
# at /src, the cache at /cache and, when KERNEL_SRC is set, that tree at /mnt.
# The root itself is read-only there. Returns the command's exit status.
. "$(dirname "$0")/lib.sh"

# In the private mount namespace: mount everything and become the command.
# The mounts go away with the last process of the namespace.
inside() {
	local root=$1 dir=$2
	local keep=()

	shift 2
	mount --bind "$root" "$root"
	cd "$root"
	mount -t proc proc proc
	mount --rbind /sys sys
	mount --rbind /dev dev
	mount -t tmpfs -o mode=1777 tmp tmp
	mount -t tmpfs -o mode=1777 tmp var/tmp
	mount -t tmpfs -o mode=0755 run run
	mount -t tmpfs -o mode=0700 home root
	mount --bind "$TOP" src
	mount --bind "$CACHE" cache
	if [ -n "${KERNEL_SRC:-}" ]; then
		mount --bind "$KERNEL_SRC" mnt
		keep+=(KERNEL_SRC=/mnt)
	fi
	mount -o remount,bind,ro "$root"
	[ -z "${J:-}" ] || keep+=("J=$J")
	[ -z "${CI:-}" ] || keep+=("CI=$CI")
	[ -z "${TERM:-}" ] || keep+=("TERM=$TERM")
	exec chroot "$root" /usr/bin/env -i --chdir="$dir" \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root LC_ALL=C.UTF-8 FUSE_BPF_INSIDE=1 FUSE_BPF_CACHE=/cache \
		"${keep[@]}" "$@"
}

if [ "${1:-}" = --mounted ]; then
	shift
	inside "$@"
fi

[ $# -gt 0 ] || die "usage: enter.sh COMMAND..."
[ -z "${FUSE_BPF_INSIDE:-}" ] || exec "$@"
need_root
[ -z "${KERNEL_SRC:-}" ] || [ -e "$KERNEL_SRC/Kconfig" ] ||
	die "KERNEL_SRC=$KERNEL_SRC is no kernel tree"
root=$("$TOP/selftests/vm/mkroot.sh")
dir=/src
case $PWD/ in
"$TOP"/*) dir=/src${PWD#"$TOP"} ;;
esac
exec unshare --mount --propagation private -- \
	"$BASH" "$TOP/selftests/vm/enter.sh" --mounted "$root" "$dir" "$@"
