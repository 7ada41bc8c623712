#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Make the Debian 13 root that builds the project and boots the guest.
# Prints its path. Does nothing when it is there already.
. "$(dirname "$0")/lib.sh"

SUITE=trixie
MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# The host gives nothing but mmdebstrap; all other tools live in the root.
need_mmdebstrap() {
	command -v mmdebstrap >/dev/null && [ -e "$KEYRING" ] && return
	command -v apt-get >/dev/null ||
		die "needs Debian's mmdebstrap and debian-archive-keyring, and this is no Debian (no apt-get)"
	say "installing mmdebstrap and debian-archive-keyring on the host"
	{ apt-get update && apt-get install -y --no-install-recommends \
		mmdebstrap debian-archive-keyring; } >"$CACHE/apt.log" 2>&1 ||
		die "apt-get could not install mmdebstrap; see $CACHE/apt.log"
}

packages() {
	sed -e '/^#/d' -e "s/@ABI@/$KERNEL_ABI/; s/@FLAVOUR@/$KERNEL_FLAVOUR/" \
		-e "s|\$| |; s| -backports |/$SUITE-backports|; s| *\$||" "$TOP/selftests/vm/packages"
}

mkroot() {
	local root=$1 part="$1.part"
	local pkgs

	[ -e "$root/etc/debian_version" ] && return
	need_mmdebstrap
	need_space "$CACHE" 12
	say "making the Debian $SUITE root (about a minute, once): $root"
	rm -rf "$part"
	pkgs=$(packages | paste -sd,)
	# The source of libfuse is there for its examples, which are in no package.
	# Backports are pinned below the release, so that only what asks for
	# them by name, and what that needs, comes from there.
	mmdebstrap --variant=apt --mode=root \
		--aptopt='APT::Install-Recommends "false"' \
		--aptopt='Acquire::Retries "3"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='force-unsafe-io' \
		--include="$pkgs" \
		--customize-hook='chroot "$1" sh -c "cd /usr/src && apt-get -q source --download-only fuse3"' \
		"$SUITE" "$part" \
		"deb $MIRROR $SUITE main" \
		"deb-src $MIRROR $SUITE main" \
		"deb $MIRROR $SUITE-updates main" \
		"deb $MIRROR $SUITE-backports main" >"$CACHE/mkroot.log" 2>&1 || {
		tail -n 5 "$CACHE/mkroot.log" >&2
		rm -rf "$part"
		die "mmdebstrap failed: is the Debian archive ($MIRROR) reachable, and does it still hold $SOURCE_VERSION? Log: $CACHE/mkroot.log"
	}
	mkdir -p "$part/src" "$part/cache" "$part/vm" "$part/build"
	echo fuse-bpf >"$part/etc/hostname"
	mv "$part" "$root"
	say "root is ready"
}

need_root
root=$(root_dir)
locked root mkroot "$root"
echo "$root"
