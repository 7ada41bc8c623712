// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "ask.h"

/* The part of a request that has not been taken */
struct rest {
	const char *at;
	size_t len;
};

/* Take @len bytes, of which @to has room for @room. */
static bool take(struct rest *rest, size_t len, void *to, size_t room)
{
	if (len > rest->len || len > room)
		return false;
	memcpy(to, rest->at, len);
	rest->at += len;
	rest->len -= len;
	return true;
}

/* A string that is there has a NUL at its end, and none before. */
static bool take_text(struct rest *rest, size_t len, char *to)
{
	if (!len)
		return true;
	return take(rest, len + 1, to, ASK_TEXT) && strlen(to) == len;
}

static bool parse(const struct raw_request *request, struct asked *asked)
{
	struct rest rest = { .at = request->arg, .len = request->len };
	struct fuse_bpf_ask_in *in = &asked->in;

	memset(asked, 0, sizeof(*asked));
	asked->head = request->head;
	return take(&rest, sizeof(*in), in, sizeof(*in)) && in->phase <= FUSE_BPF_ASK_POST &&
	       !in->reserved &&
	       take(&rest, in->in_size, asked->bytes, sizeof(asked->bytes)) &&
	       take(&rest, in->attr_size, &asked->attr, sizeof(asked->attr)) &&
	       (!in->attr_size || in->attr_size == sizeof(asked->attr)) &&
	       take_text(&rest, in->name_len, asked->name) &&
	       take_text(&rest, in->newname_len, asked->newname) &&
	       take_text(&rest, in->text_len, asked->text) && !rest.len;
}

void ask_answer(struct asks asks[2], const struct raw_request *request,
		struct raw_reply *reply)
{
	static const struct fuse_bpf_ask_out none;
	struct asked asked;
	struct asks *a;
	bool mine;

	if (!parse(request, &asked)) {
		asks[0].wrong++;
		reply->error = -EINVAL;
		return;
	}
	a = &asks[asked.in.phase];
	a->last = asked;
	a->count++;
	mine = !a->uid || a->uid == asked.head.uid;
	reply->silent = mine && a->silent;
	reply->error = mine ? a->error : 0;
	reply->len = sizeof(none) - (mine ? a->short_by : 0);
	memcpy(reply->data, mine ? &a->answer : &none, sizeof(none));
}
