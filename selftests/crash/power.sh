#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# power.sh KIND SEED OPS CUTS [--lie]: workers change trees on ext4, natively, by a backed
# mount or by one with a filter (KIND: native, backed, filter), on a disk that is logged.
# Then the power is cut so often at moments in the log, and what is left is checked.
# Ends with "N cuts, N bad"; exit status 1 if there are bad ones, 2 if that could not be told.
set -uo pipefail

CRASH=$(realpath "$(dirname "$0")/../../build/selftests/crash/crash")
kind=$1 seed=$2 ops=$3 cuts=$4
work=$(mktemp -d /tmp/power-XXXXXX)
name=crash-$$
loops=()

cleanup() {
	cd /
	mountpoint -q "$work/fs" && umount "$work/fs"
	! dmsetup info "$name" >/dev/null 2>&1 || dmsetup remove --retry "$name"
	rm -f "/dev/mapper/$name"
	[ ${#loops[@]} -eq 0 ] || losetup -d "${loops[@]}"
	umount "$work"
	rmdir "$work"
}

die() { echo "power.sh: $*" >&2; exit 2; }

# loop FILE: sets $loop
loop() {
	loop=$(losetup -f --show "$1") || die "no loop device"
	loops+=("$loop")
}

mount -t tmpfs -o size=80% power "$work" || exit 2
trap cleanup EXIT
cd "$work" || exit 2
[ -e /dev/loop-control ] || modprobe loop
modprobe dm-log-writes || die "this kernel logs no writes"
truncate -s 32M image
truncate -s 32M scratch
truncate -s 1G log
mkfs.ext4 -q -b 4096 -J size=4 image || die "no ext4"
cp --sparse=always image disk
loop disk; data=$loop
loop log; log=$loop
loop scratch; scratch=$loop
mkdir fs at

dmsetup create --noudevsync "$name" --table "0 $((32 << 11)) log-writes $data $log" ||
	die "no device that logs"
[ -e "/dev/mapper/$name" ] || dmsetup mknodes "$name"
# Often, so that much is on the disk that was not promised
mount -t ext4 -o commit=1 "/dev/mapper/$name" fs || die "the disk cannot be mounted"
mkdir -m 755 fs/tree
"$CRASH" work --kind "$kind" --back "$work/fs/tree" --seed "$seed" --ops "$ops" --mark "$name" \
	"${@:5}" || die "$kind, seed $seed: the workers failed"
umount fs || die "the disk is busy"
dmsetup remove --retry "$name" || die "the disk is in use"
"$CRASH" power --log log --image image --scratch scratch --device "$scratch" --at at \
	--points "$cuts" --seed "$seed"
status=$?
[ $status -le 1 ] || status=2
exit $status
