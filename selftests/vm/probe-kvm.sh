#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# probe-kvm.sh KERNEL: print "kvm" when KVM boots this kernel, else "tcg".
# A /dev/kvm can open and then hang a guest, so it is tried, once per boot of
# the host and kernel, with a time limit. Runs inside the root.
. "$(dirname "$0")/lib.sh"

[ -n "${FUSE_BPF_INSIDE:-}" ] || die "runs inside the root only (enter.sh)"
[ -w /dev/kvm ] || { echo tcg; exit; }
boot=$(cut -c1-8 /proc/sys/kernel/random/boot_id)
stock=/usr/lib/modules/$KERNEL_ABI-$KERNEL_FLAVOUR/vmlinuz

answer() { echo "$CACHE/kvm-$boot-$(sha256sum "$1" | cut -c1-8)"; }

# boots KERNEL: does it come as far as to miss its root?
boots() {
	timeout -s KILL 15 qemu-system-x86_64 -no-user-config -nodefaults -display none -no-reboot \
		-accel kvm -cpu host -smp 2 -m 1024 -kernel "$1" \
		-append "console=ttyS0 panic=-1 root=none" -serial file:/tmp/kvm.log </dev/null &&
		grep -q 'Unable to mount root' /tmp/kvm.log
}

probe() {
	local answer

	answer=$(answer "$1")
	[ ! -s "$answer" ] || return 0
	say "trying whether KVM works here (up to 15 s, once)"
	if { boots "$1"; } 2>/dev/null; then echo kvm; else echo tcg; fi >"$answer"
}

# Where it does not boot the stock kernel, no other one need be tried.
for kernel in "$stock" "$1"; do
	[ -s "$(answer "$kernel")" ] || locked kvm probe "$kernel"
	[ "$(cat "$(answer "$kernel")")" = kvm ] || { echo tcg; exit; }
done
echo kvm
