// SPDX-License-Identifier: GPL-2.0-only
/*
 * recording: files of requests, for libFuzzer. Each is read as "fuse-bpf replay" does it,
 * and what is made of it would be a tree.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../tools/fuse-bpf/replay.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const char *file_of(const unsigned char *data, size_t size)
{
	static char path[32];
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("recording", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

/* One component, which leads neither up nor down */
static void check_name(const char *name)
{
	if (!name || !*name || strlen(name) >= RECORD_NAME || strchr(name, '/') ||
	    !strcmp(name, ".") || !strcmp(name, ".."))
		abort();
}

static void check_places(const struct recording *recording)
{
	char path[4096];
	size_t i;

	for (i = 0; i < recording->nr_places; i++) {
		const struct place *place = recording->places[i];

		if (!place->dir != !i || (place->dir && !S_ISDIR(place->dir->mode)))
			abort();
		if (i)
			check_name(place->name);
		if (!replay_place_path(place, NULL, path, sizeof(path)) && *path == '/')
			abort();
	}
}

static void check_requests(const struct recording *recording)
{
	size_t i;

	for (i = 0; i < recording->nr; i++) {
		const struct request *request = &recording->requests[i];

		if (!request->opcode || request->opcode >= 64 || !request->verdict)
			abort();
		if (request->name)
			check_name(request->name);
		if (request->newname)
			check_name(request->newname);
		replay_needs_file(request);
		/* Nothing is open, so that nothing can be done */
		if (replay_can(request))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct recording recording;

	if (!recording_read(file_of(data, size), &recording)) {
		check_places(&recording);
		check_requests(&recording);
	}
	recording_free(&recording);
	reason_clear();
	return 0;
}
