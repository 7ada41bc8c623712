# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What every script of this project starts with: where things are, how to say
# what is going on, how to stop with one sentence. Sourced, never run.

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=kernel/BASE
. "$TOP/kernel/BASE"

# Everything that can be made again from the checkout, keyed by content.
CACHE=${FUSE_BPF_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fuse-bpf}

say() { printf '[%s] %s\n' "$(basename "$0" .sh)" "$*" >&2; }
die() { printf '%s: error: %s\n' "$(basename "$0" .sh)" "$*" >&2; exit 1; }

# digest PATH...: one short hash of the contents of files and directories,
# independent of where the checkout lies.
digest() {
	(cd "$TOP" && find "$@" -type f -print0 | sort -z | xargs -0 sha256sum) |
		sha256sum | cut -c1-16
}

# need_space DIR GIB: stop early rather than half way through a build.
need_space() {
	local free

	free=$(df --output=avail -BG "$1" | tail -n1 | tr -dc 0-9)
	[ "$free" -ge "$2" ] ||
		die "$1 has $free GiB free and $2 GiB are needed; free some or set FUSE_BPF_CACHE to a larger disk"
}

need_root() {
	[ "$(id -u)" -eq 0 ] || die "must run as root (it makes a Debian root and mounts in a private namespace)"
}

# locked NAME COMMAND...: run the command while no other run makes NAME.
locked() {
	local name=$1

	shift
	mkdir -p "$CACHE"
	(
		flock -n 9 || { say "waiting for another run that makes $name"; flock 9; }
		"$@"
	) 9>"$CACHE/$name.lock"
}

root_dir() { echo "$CACHE/root-$(digest kernel/BASE selftests/vm/packages selftests/vm/mkroot.sh)"; }
