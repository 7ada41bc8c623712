#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# soak.sh NAME [SECONDS]: run what else runs for seconds for longer. selftests/NAME/soak.sh
# knows how; it is called with the seconds, and says at the end what it has done.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

name=${1:-} seconds=${2:-600}
if [ -z "$name" ] || [ ! -x "selftests/$name/soak.sh" ]; then
	echo "soak.sh: what? There are: $(echo selftests/*/soak.sh | sed 's,selftests/,,g; s,/soak.sh,,g')" >&2
	exit 2
fi
exec "selftests/$name/soak.sh" "$seconds"
