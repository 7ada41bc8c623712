# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# A FUSE mount that is not backed, of an unmodified daemon on stock libfuse. Sourced,
# never run.

# plain_mount SOURCE MOUNTPOINT [TYPE]: the mirror of SOURCE; sets $plain_pid. The
# kernel's side is mounted first, and the daemon takes over the device.
plain_mount() {
	local type=fuse_bpf

	[ "${FLAVOUR:-module}" = module ] || type=fuse
	type=${3:-$type}
	exec 5<>"/dev/$type" || return
	mount -i -t "$type" -o fd=5,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions \
		mirror "$2" || return
	/src/build/selftests/fuse/mirror "$1" /dev/fd/5 &
	plain_pid=$!
	exec 5<&-
}
