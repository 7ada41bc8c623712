#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# soak.sh: a million inodes, a hundred thousand directories with filters. It takes as long as
# it takes.
export SCALE_INODES=${SCALE_INODES:-1000000} SCALE_DIRS=${SCALE_DIRS:-100000}
exec build/selftests/scale/scale_test
