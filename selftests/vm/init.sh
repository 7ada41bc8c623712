#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
# The guest's init: mount the usual, load the flavour, run the command that
# run.sh left in its run directory, say how it ended, and turn the guest off.
# Busybox, because its built-in tools save an exec each, which is dear under
# emulation. The run directory is /src/build/vm/run-ID, shared with the host.

run=$RUN			# a kernel parameter that the kernel does not know
. "$run/conf"			# flavour, shell, disk, limit, rows, cols

fail() { echo "$*" >"$run/failed"; busybox reboot -f; }

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
for dir in /tmp /run /var/tmp /mnt /root; do
	mount -t tmpfs -o mode=1777 tmp $dir
done
chmod 755 /run /mnt && chmod 700 /root
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t fusectl fusectl /sys/fs/fuse/connections
# The host shares the root read-only; say so here too, and only of the root.
mount --bind /src /src
mount --bind /cache /cache
mount -o remount,bind,ro /
cat /etc/hostname >/proc/sys/kernel/hostname
ifconfig lo 127.0.0.1 up
# An emulated guest on a busy host is slow, not hung.
echo 300 >/proc/sys/kernel/hung_task_timeout_secs
echo 1 >/proc/sys/kernel/hung_task_all_cpu_backtrace
[ ! "$disk" ] || [ -e /dev/vda ] || modprobe virtio_blk

if [ "$flavour" = module ]; then
	insmod /src/build/module/fuse_bpf.ko || fail "fuse_bpf.ko does not load; see the console log"
	! grep -q fusectl_bpf /proc/filesystems ||
		mount -t fusectl_bpf none /sys/fs/fuse_bpf/connections ||
		fail "fusectl_bpf does not mount on /sys/fs/fuse_bpf/connections"
fi

env="PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 FLAVOUR=$flavour FUSE_BPF_GUEST=1"
cd /src
: >"$run/started"
if [ "$shell" ]; then
	stty -onlcr rows "$rows" cols "$cols" </dev/hvc0
	env -i $env TERM="$shell" setsid -c bash --rcfile "$run/cmd" </dev/hvc0 >/dev/hvc0 2>&1
	echo $? >"$run/ended"
else
	# A pipe of its own: the port cannot be opened twice, /dev/stdout can.
	mkfifo /run/out
	cat /run/out >/dev/vport0p1 &
	cat=$!
	# Shortly before the time limit, show where everybody is stuck.
	( sleep $((limit > 60 ? limit - 20 : 60)) && dmesg -n 8 && echo w >/proc/sysrq-trigger ) &
	env -i $env setsid bash "$run/cmd" </dev/null >/run/out 2>&1
	echo $? >"$run/ended"
fi

# Nothing the command left behind may hold the module, or the output, open.
for dir in /proc/[0-9]*; do
	pid=${dir#/proc/}
	[ "$pid" = 1 ] || [ "$pid" = "$cat" ] || [ ! -e "$dir/exe" ] || kill -9 "$pid"
done
[ ! "$cat" ] || wait "$cat"

# Nor may it hide a leak from the checks below.
umount -a -f -t fuse,fuse_bpf,fuseblk
umount /sys/fs/bpf
if [ "$flavour" = module ]; then
	umount /sys/fs/fuse_bpf/connections
	# References may be dropped after a grace period.
	for i in 1 2 3 4 5 6 7 8 9 10 11; do
		! rmmod fuse_bpf || break
		[ $i -lt 11 ] || echo "fuse_bpf.ko cannot be unloaded: it is still in use when nothing uses it" >"$run/leak"
		sleep 0.3
	done
fi 2>/dev/null

# Kmemleak looks at objects older than 5 s, and twice at each.
leaks=/sys/kernel/debug/kmemleak
if [ -e $leaks ] && [ ! "$shell" ]; then
	sleep 5.5
	echo scan >$leaks
	echo scan >$leaks
	cat $leaks >"$run/kmemleak"
fi 2>/dev/null
dmesg >"$run/dmesg"
mv "$run/ended" "$run/status"
busybox reboot -f
