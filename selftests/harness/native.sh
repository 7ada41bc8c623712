# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Two directories of one file system, and a backed mount of one of them, for
# scripts that compare what programs do in either. Sourced, never run.

case ${FLAVOUR:-module} in
debug) TYPE=fuse ;;
*) TYPE=fuse_bpf ;;
esac
TOP=$(mktemp -d /tmp/native-XXXXXX)
number=0
failed=0

# verdict STATUS NAME [DETAILS]
verdict() {
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number $2"
	else
		failed=1
		echo "not ok $number $2"
		[ $# -lt 3 ] || printf '%s\n' "$3" | sed 's/^/# /'
	fi
}

# set_up FS: directories $TOP/fs/native and $TOP/fs/backing on ext4, tmpfs, xfs,
# btrfs or overlay, and a backed mount of the latter on $TOP/mnt
set_up() {
	mkdir -p "$TOP/fs" "$TOP/mnt"
	case $1 in
	tmpfs)
		mount -t tmpfs -o mode=755 tmpfs "$TOP/fs" || return
		;;
	overlay)
		mkdir -p "$TOP/layers"
		mount -t tmpfs tmpfs "$TOP/layers" || return
		mkdir "$TOP/layers/lower" "$TOP/layers/upper" "$TOP/layers/work"
		mount -t overlay -o "lowerdir=$TOP/layers/lower,upperdir=$TOP/layers/upper,workdir=$TOP/layers/work" \
			overlay "$TOP/fs" || return
		;;
	*)
		[ -e /dev/loop-control ] || modprobe loop
		truncate -s "${IMAGE_SIZE:-512M}" "$TOP/image"
		"mkfs.$1" -q "$TOP/image" >/dev/null && mount -o loop "$TOP/image" "$TOP/fs" || return
		;;
	esac
	mkdir "$TOP/fs/native" "$TOP/fs/backing"
	# Not by mount.fuse, which wants a daemon
	mount -i -t "$TYPE" -o "daemonless,allow_other,backing=3" none "$TOP/mnt" 3<"$TOP/fs/backing"
}

# Nothing may hold on to the mount, nor the mount to the backing.
tear_down() {
	local status=0

	umount "$TOP/mnt" || status=1
	umount "$TOP/fs" || status=1
	mountpoint -q "$TOP/layers" && { umount "$TOP/layers" || status=1; }
	rm -rf "$TOP/image"
	return $status
}

# tree DIR: all that a tree is, but for times and the sizes of directories
tree() {
	(
		cd "$1" || exit
		find . -type d -printf '%P %m %U %G %n\n' -o -printf '%P %y %m %U %G %n %s %l\n' | sort
		find . -type f -exec sha256sum {} + | sort
	)
}
