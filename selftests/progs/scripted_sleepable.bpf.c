// SPDX-License-Identifier: GPL-2.0-only
/* The scripted filter, with programs that may sleep where that is allowed. */
#define SLEEP ".s"
#include "scripted.bpf.c"
