#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# fio_test.sh: what fio writes by each way that the kernel has is read back and
# checked, by the same way and by another view of the file.
set -u
. "$(dirname "$0")/../harness/programs.sh"

# Each block holds its own place and a checksum; a wrong one ends fio with an error.
# shellcheck disable=SC2016
verify='
	job="--name=j --filename_format=f.\$jobnum --size=${SIZE:-2M} --ioengine=$ENGINE $OPTIONS --verify=crc32c
		--verify_fatal=1 --verify_state_save=0 --minimal"
	fio $job --do_verify=1 >/dev/null
	# The other view sees what was written; then it writes, and this one reads.
	(cd "$DIRECT"; fio $job --verify_only=1 >/dev/null; fio $job --do_verify=0 --randseed=7 >/dev/null)
	fio $job --verify_only=1 --randseed=7 >/dev/null
	stat -c "%n %s" f.*; rm f.*'

# job ENGINE OPTIONS...
job() {
	export ENGINE=$1 OPTIONS=${*:2}
	at_once "fio: $*" "$verify"
}

plan 10
job psync --rw=write --bs=64k
job psync --rw=randwrite --bs=4k --numjobs=2
job psync --rw=randwrite --bs=4k --direct=1
job psync --rw=randrw --bsrange=512-16k --fsync=32
job libaio --rw=randwrite --bs=4k --iodepth=16 --direct=1
job libaio --rw=write --bs=32k --iodepth=4 --direct=1
job io_uring --rw=randwrite --bs=4k --iodepth=16
job io_uring --rw=randwrite --bs=4k --iodepth=16 --direct=1 --fixedbufs
job mmap --rw=randwrite --bs=4k
job mmap --rw=randrw --bs=8k --fallocate=none
finish
