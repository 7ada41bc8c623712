#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# While no filter is attached, the code that asks filters is not reached: in the
# machine code of the module, there is a jump that is not taken before it.
set -u

jumps=/src/selftests/module/jumps.py
object=/src/build/module/fuse_bpf.o

if python3 $jumps $object; then
	echo "ok 1 no filter, no call"
else
	echo "not ok 1 no filter, no call"
fi
# Were the labels jumps, all of it would be: what is followed above is the way there.
python3 $jumps --taken $object >/tmp/jumps
if [ "$(grep -c 'is reached' /tmp/jumps)" -eq 5 ]; then
	echo "ok 2 a filter, and calls"
else
	echo "not ok 2 a filter, and calls"
	grep reached /tmp/jumps
fi
echo "1..2"
