/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Latencies, as latency.bpf.c measures them and the command reads them.
 */
#ifndef FUSE_BPF_LATENCY_BPF_H
#define FUSE_BPF_LATENCY_BPF_H

#define LATENCY_OPS	64	/* opcodes, with those that only filters have */
#define LATENCY_SLOTS	40	/* the last one has all from nine minutes on */

/**
 * struct latency - how long operations took, by opcode and CPU
 * @slots: slot I: those that took 2^I nanoseconds or more, and less than twice that
 * @ns: all together
 */
struct latency {
	__u64 slots[LATENCY_SLOTS];
	__u64 ns;
};

/* By what the kernel's function is given its inode */
enum latency_by {
	LATENCY_BY_INODE,
	LATENCY_BY_DENTRY,
	LATENCY_BY_PATH,
	LATENCY_BY_FILE,
	LATENCY_BY_KIOCB,
};

/* What the programs are told of a function: its opcode, and where its inode is */
#define LATENCY_COOKIE(opcode, by, second) ((opcode) | (by) << 8 | (second) << 16)
#define LATENCY_OPCODE(cookie)	((cookie) & 0xff)
#define LATENCY_BY(cookie)	((cookie) >> 8 & 0xff)
#define LATENCY_SECOND(cookie)	((cookie) >> 16 & 1)

#endif
