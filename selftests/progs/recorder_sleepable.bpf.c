// SPDX-License-Identifier: GPL-2.0-only
/* The recorder, with programs that may sleep where that is allowed. */
#define SLEEP ".s"
#include "recorder.bpf.c"
