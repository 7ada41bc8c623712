/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Backed inodes: what can be traced.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM FUSE_NAME_TRACE

#if !defined(_TRACE_FUSE_BACKED_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_FUSE_BACKED_H

#include <linux/tracepoint.h>

/* Names of enum fuse_backed_refusal, in its order */
#define FUSE_BACKED_REFUSALS						\
	EM(FUSE_REFUSED_UNNAMED,	"unnamed")			\
	EM(FUSE_REFUSED_DAEMONS,	"daemons")			\
	EM(FUSE_REFUSED_ACROSS,		"across")			\
	EM(FUSE_REFUSED_CHANGED,	"changed")			\
	EM(FUSE_REFUSED_SPELLINGS,	"spellings")			\
	EM(FUSE_REFUSED_AUTOMOUNT,	"automount")			\
	EM(FUSE_REFUSED_LOOP,		"loop")				\
	EM(FUSE_REFUSED_MOUNT_FLAGS,	"mount_flags")			\
	EM(FUSE_REFUSED_FILES,		"files")			\
	EMe(FUSE_REFUSED_PASSTHROUGH,	"passthrough")

#undef EM
#undef EMe
#define EM(a, b)	TRACE_DEFINE_ENUM(a);
#define EMe(a, b)	TRACE_DEFINE_ENUM(a);

FUSE_BACKED_REFUSALS

#undef EM
#undef EMe
#define EM(a, b)	{a, b},
#define EMe(a, b)	{a, b}

TRACE_EVENT(fuse_backed_refused,
	TP_PROTO(dev_t connection, const struct inode *inode, u32 opcode,
		 enum fuse_backed_refusal why, int error),

	TP_ARGS(connection, inode, opcode, why, error),

	TP_STRUCT__entry(
		__field(dev_t,				connection)
		__field(u64,				ino)
		__field(u32,				opcode)
		__field(enum fuse_backed_refusal,	why)
		__field(int,				error)
	),

	TP_fast_assign(
		__entry->connection	=	connection;
		__entry->ino		=	inode->i_ino;
		__entry->opcode		=	opcode;
		__entry->why		=	why;
		__entry->error		=	error;
	),

	TP_printk("connection %u ino %llu opcode %u reason %s error %d",
		  __entry->connection, __entry->ino, __entry->opcode,
		  __print_symbolic(__entry->why, FUSE_BACKED_REFUSALS),
		  __entry->error)
);

#endif /* _TRACE_FUSE_BACKED_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE backed_trace
#include <trace/define_trace.h>
