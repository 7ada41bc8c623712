#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# guest.sh "[KIND SEED]" ["KIND SEED"]: in the guest, look at what a killed one left on
# /dev/vda, the first pair being what it did, and then begin the second until killed. See
# kill.sh; says "tree: good" or "tree: bad" of what it found.
set -uo pipefail

CRASH=build/selftests/crash/crash
FS=/mnt/fs

die() { echo "guest.sh: $*" >&2; exit 1; }

# look KIND SEED: the journal is replayed, and then all must be right
look() {
	local good=1

	mount -t ext4 /dev/vda $FS || die "the disk cannot be mounted"
	"$CRASH" check --back $FS/tree --seed "$2" --log build/crash/log || good=
	umount $FS || die "the disk is busy"
	e2fsck -fn /dev/vda >/tmp/fsck 2>&1 || { cat /tmp/fsck; good=; }
	[ "$good" ] && echo "tree: good" || echo "tree: bad ($1, seed $2)"
}

mkdir -p $FS
[ -z "$1" ] || look $1
[ $# -gt 1 ] || exit 0
mkfs.ext4 -q -F -b 4096 /dev/vda && mount -t ext4 -o commit=1 /dev/vda $FS || die "no ext4"
mkdir -m 755 $FS/tree
set -- $2
exec "$CRASH" work --kind "$1" --back $FS/tree --seed "$2" --ops 0
