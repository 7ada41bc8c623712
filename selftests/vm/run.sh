#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run.sh [OPTIONS] -- COMMAND: boot a guest on the Debian root and run a shell
# command in it, as root, in /src. See usage() for the options.
#
# Exit status: the command's; 124 time limit; 125 the kernel complained (even
# when the command succeeded); 126 the guest died or did not come up; 137 it was
# killed, with --kill.
. "$(dirname "$0")/lib.sh"
. "$TOP/selftests/vm/splats.sh"

usage() {
	cat >&2 <<-EOF
	usage: run.sh [OPTIONS] -- COMMAND
	  --flavour module|debug|stock  stock kernel with build/module/fuse_bpf.ko,
	                                debug kernel (built if need be), or stock
	                                kernel with nothing loaded (default: module)
	  --kernel FILE   boot this kernel in the flavour's place (a path as seen
	                  in the root: /src/..., /cache/...)
	  --timeout SEC   for boot and command together (default: 300; debug: 1200)
	  --mem MB        memory of the guest (default: 2048)
	  --cpus N        processors of the guest (default: 2)
	  --disk SIZE|FILE  an empty disk, or a copy of an image (a path as seen
	                  in the root), for the command, as /dev/vda
	  --keep          what the guest writes to the disk's file stays there
	  --kill SEC      kill the guest so long after its command said "working"
	  --append ARGS   more kernel parameters
	  --icount        a single emulated processor whose clock is the number of
	                  instructions: one a nanosecond, whatever the host does
	  --monitor SOCKET  QEMU listens there for commands (a path as seen in the root)
	  --env NAME=VAL  set in the command's environment; may be repeated
	  --shell         an interactive shell instead of a command
	EOF
	exit 2
}

args=("$@")
flavour=module kernel='' limit='' mem=2048 cpus=2 disk='' keep='' kill='' append='' icount=''
monitor='' pass='' shell=''
while [ $# -gt 0 ]; do
	case $1 in
	--flavour) flavour=$2; shift 2 ;;
	--kernel) kernel=$2; shift 2 ;;
	--timeout) limit=$2; shift 2 ;;
	--mem) mem=$2; shift 2 ;;
	--cpus) cpus=$2; shift 2 ;;
	--disk) disk=$2; shift 2 ;;
	--keep) keep=1; shift ;;
	--kill) kill=$2; shift 2 ;;
	--append) append=$2; shift 2 ;;
	--icount) icount=1; shift ;;
	--monitor) monitor=$2; shift 2 ;;
	--env) pass+="export ${2%%=*}=$(printf %q "${2#*=}")"$'\n'; shift 2 ;;
	--shell) shell=${TERM:-dumb}; shift ;;
	--) shift; break ;;
	*) usage ;;
	esac
done
[ $# -gt 0 ] || [ -n "$shell" ] || usage

case $flavour in
module | stock) kernel=${kernel:-/usr/lib/modules/$KERNEL_ABI-$KERNEL_FLAVOUR/vmlinuz}; limit=${limit:-300} ;;
debug) limit=${limit:-1200} ;;
*) die "no such flavour: $flavour" ;;
esac
[ "$flavour" != module ] || [ -e "$TOP/build/module/fuse_bpf.ko" ] ||
	die "build/module/fuse_bpf.ko is missing; run: make module"

# Everything from here on runs inside the root, QEMU and virtiofsd too.
if [ -z "${FUSE_BPF_INSIDE:-}" ]; then
	[ "$flavour" != debug ] || [ -n "$kernel" ] || "$TOP/kernel/scripts/build-debug.sh" >/dev/null
	exec "$TOP/selftests/vm/enter.sh" /src/selftests/vm/run.sh "${args[@]}"
fi
[ -n "$kernel" ] || kernel=$("$TOP/kernel/scripts/build-debug.sh" --where)/bzImage

mkdir -p "$TOP/build/vm"
run=$(mktemp -d "$TOP/build/vm/run-XXXXXX")
console=$TOP/build/vm/console-$flavour-${run##*-}.log
shown=${console#"$TOP"/}
: >"$console"
echo $$ >"$run/pid"
# What runs left that were killed outright, and the logs of old ones.
for old in "$TOP"/build/vm/run-*; do
	kill -0 "$(cat "$old/pid" 2>/dev/null || echo $$)" 2>/dev/null || rm -rf "$old"
done
find "$TOP/build/vm" -maxdepth 1 -name 'console-*' -mmin +60 -printf '%T@ %p\n' |
	sort -rn | awk 'NR > 40 { print $2 }' | xargs -r rm -f

cleanup() {
	trap - EXIT
	kill "${pids[@]}" 2>/dev/null || :
	wait 2>/dev/null || :
	[ ! -s "$run/dmesg" ] || mv "$run/dmesg" "${console%.log}.dmesg"
	rm -rf "$run"
}
pids=()
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# What the guest sees: the root without the mounts of this namespace, plus the
# checkout and the cache. /vm is an empty directory of the root.
mount --bind / /vm
mount --bind /src /vm/src
mount --bind /cache /vm/cache

size=$(stty size 2>/dev/null) && [ "$size" != "0 0" ] || size="24 80"
cat >"$run/conf" <<EOF
flavour='$flavour' shell='$shell' disk='$disk' limit='$limit'
rows='${size% *}' cols='${size#* }'
EOF
if [ $# -eq 1 ]; then
	printf '%s\n' "$pass$1" >"$run/cmd"
else
	{ printf '%s' "$pass"; [ $# -eq 0 ] || printf '%q ' "$@"; } >"$run/cmd"
fi

# KVM only where it is known to boot this very kernel.
params=()
accel=${FUSE_BPF_ACCEL:-$("$TOP/selftests/vm/probe-kvm.sh" "$kernel")}
[ -z "$icount" ] || { accel=icount; cpus=1; }
case $accel in
kvm) accel=(-accel kvm -cpu host) ;;
*)
	accel=(-accel tcg,thread=multi -cpu max)
	[ -z "$icount" ] || accel=(-accel tcg,thread=single -icount shift=0,sleep=off -cpu max)
	# QEMU does not see virtiofsd write to the guest's memory, and would go
	# on with its translation of the code that was in a page before. The
	# kernel itself must write to a page between two uses.
	params=(init_on_alloc=1)
	;;
esac

params+=(root=rootfs rootfstype=virtiofs rw init=/src/selftests/vm/init.sh
	console=ttyS0 loglevel=5 log_buf_len=4M panic=-1 oops=panic
	mitigations=off nokaslr no_timer_check tsc=reliable lsm=bpf
	watchdog_thresh=60 workqueue.watchdog_thresh=120
	rcupdate.rcu_cpu_stall_timeout=120 rcupdate.rcu_exp_cpu_stall_timeout=120000)
[ "$flavour" != debug ] || params+=(kmemleak=on page_poison=1)

virtio=(-device "virtio-serial-pci,max_ports=2")
mkfifo "$run/out.in" "$run/out.out"
if [ -n "$shell" ]; then
	virtio+=(-chardev stdio,id=out,signal=off -device virtconsole,chardev=out)
else
	virtio+=(-chardev "pipe,id=out,path=$run/out" -device virtserialport,chardev=out,nr=1)
fi
if [ -n "$disk" ]; then
	image=$disk
	[ -f "$disk" ] || { image=$run/disk; truncate -s "$disk" "$image"; }
	# A snapshot: what the guest writes is gone with it. If it is kept, then in the
	# order in which the guest flushed it.
	how=cache=unsafe,snapshot=on
	[ -z "$keep" ] || how=cache=writeback
	virtio+=(-drive "if=none,id=disk,format=raw,$how,file=$image" -device virtio-blk-pci,drive=disk)
fi

[ -z "$monitor" ] || virtio+=(-monitor "unix:$monitor,server=on,wait=off")

# A command sees the files as they are when it starts, which saves a request
# for each open; in a shell, one may want to see what is edited on the host.
cache=always
[ -z "$shell" ] || cache=auto
# Should this script be killed outright, its children go with it.
setpriv --pdeathsig KILL /usr/libexec/virtiofsd --socket-path "$run/fs.sock" --shared-dir /vm \
	--sandbox none --no-announce-submounts --cache "$cache" --log-level error 2>"$run/virtiofsd.log" &
fsd=$!
pids+=("$fsd")
for _ in {1..100}; do [ ! -S "$run/fs.sock" ] || break; sleep 0.02; done

# One CPU a socket: without ACPI the kernel knows of the first one of each only.
begin=$(date +%s.%N)
exec 3<&0
setpriv --pdeathsig KILL qemu-system-x86_64 -no-user-config -nodefaults -display none -no-reboot \
	-machine pc,memory-backend=mem,usb=off "${accel[@]}" -smp "$cpus,sockets=$cpus" -m "$mem" \
	-object "memory-backend-memfd,id=mem,size=${mem}M,share=on" \
	-kernel "$kernel" -append "${params[*]} $append RUN=$run" \
	-serial "file:$console" "${virtio[@]}" \
	-chardev "socket,id=fs,path=$run/fs.sock" \
	-device vhost-user-fs-pci,chardev=fs,tag=rootfs,queue-size=1024 \
	<&3 2>"$run/qemu.log" &
qemu=$!
pids+=("$qemu")
# Outright, as a power cut would, so long after the guest said "working"
kill_later() {
	grep -qm1 '^working$'
	sleep "$kill"
	kill -KILL "$qemu"
}
if [ -z "$shell" ]; then
	if [ -n "$kill" ]; then
		tee -p >(kill_later) <"$run/out.out" &
	else
		cat "$run/out.out" &
	fi
	relay=$!
	sleep "$limit" &
	timer=$!
	pids+=("$relay" "$timer")
fi

# Which of them ends first tells how the run ended.
first=''
{ wait -n -p first "$qemu" "$fsd" ${timer:+"$timer"} || :; } 2>/dev/null
if [ "$first" = "$fsd" ]; then	# normal, when it is because QEMU went
	for _ in {1..50}; do kill -0 "$qemu" 2>/dev/null || { first=$qemu; break; }; sleep 0.1; done
fi
kill "$qemu" 2>/dev/null || :
[ -z "${relay:-}" ] || wait "$relay" || :

complain() {
	printf '\nrun: %s (console: %s)\n' "$*" "$shown" >&2
}
tail_console() { tail -n 15 "$console" | tr -d '\r' >&2; }
bad=$(splats "$run/dmesg")
[ -n "$bad" ] || bad=$(splats "$console")
if [ -n "$bad" ]; then
	printf '%s\n' "$bad" >&2
	complain "the guest's kernel complained"
fi
if [ -n "${timer:-}" ] && [ "$first" = "$timer" ]; then
	[ -n "$bad" ] || tail_console
	complain "the time limit of $limit s is over"
	exit 124
fi
[ -z "$bad" ] || exit 125
[ -z "$kill" ] || [ -e "$run/status" ] || exit 137
if [ -e "$run/failed" ]; then
	complain "$(cat "$run/failed")"
	exit 126
fi
if [ ! -e "$run/status" ]; then
	tail_console
	cat "$run/qemu.log" "$run/virtiofsd.log" >&2
	[ "$first" != "$fsd" ] || complain "virtiofsd died under the guest"
	complain "the guest died"
	exit 126
fi
if [ -e "$run/leak" ]; then
	complain "$(cat "$run/leak")"
	exit 125
fi
if grep -q fuse "$run/kmemleak" 2>/dev/null; then
	cat "$run/kmemleak" >&2
	complain "memory leaked"
	exit 125
fi
say "$(awk -v a="$begin" -v b="$(stat -c %.9Y "$run/started")" -v c="$(stat -c %.9Y "$run/status")" \
	'BEGIN { printf "booted in %.1f s, command and checks took %.1f s", b - a, c - b }') (console: $shown)"
exit "$(cat "$run/status")"
