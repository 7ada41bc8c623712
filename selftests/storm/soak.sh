#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# soak.sh SECONDS: storms for that long, with seeds that no run had before.
exec build/selftests/fuzz/storm --time "$1"
