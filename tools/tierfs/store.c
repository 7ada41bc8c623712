// SPDX-License-Identifier: GPL-2.0-only
/*
 * The object store: a server that answers GET for ranges of what it has, by HTTP; and PUT,
 * DELETE and MOVE, as WebDAV has them, if it is to be written to.
 *
 * Each thread has a connection of its own, which is kept. Whatever the server does that
 * was not asked for is an error: bytes of another version, of another range, too few,
 * too many.
 */
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tierfs.h"

/* A server that sends less than this many bytes a second, for so many seconds, is down */
#define STALL_SPEED 1L
#define STALL_SECONDS 20L

static const char *store_url;
static volatile bool store_stopped;
static pthread_key_t store_key;

/**
 * struct answer - an answer that is coming in
 * @fd: file that its body goes to, -1: there is none
 * @pos: where the next byte of it goes
 * @left: bytes that are still to come
 * @range: what Content-Range said
 * @etag: what ETag said
 * @err: why it was given up
 */
struct answer {
	int fd;
	uint64_t pos;
	uint64_t left;
	char range[80];
	char etag[TIER_TEXT_MAX + 1];
	int err;
};

static void store_close(void *curl)
{
	curl_easy_cleanup(curl);
}

/* store_init - say where objects are, before there are other threads */
int store_init(const char *url)
{
	store_url = url;
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return -ENOMEM;
	return -pthread_key_create(&store_key, store_close);
}

static CURL *store_connection(void)
{
	CURL *curl = pthread_getspecific(store_key);

	if (curl) {
		curl_easy_reset(curl);
		return curl;
	}
	curl = curl_easy_init();
	if (curl && pthread_setspecific(store_key, curl)) {
		curl_easy_cleanup(curl);
		return NULL;
	}
	return curl;
}

static void take_header(const char *line, size_t len, const char *name, char *to, size_t size)
{
	size_t skip = strlen(name);

	if (len <= skip || strncasecmp(line, name, skip))
		return;
	line += skip;
	len -= skip;
	while (len && (*line == ' ' || *line == '\t'))
		line++, len--;
	while (len && (line[len - 1] == '\r' || line[len - 1] == '\n'))
		len--;
	if (len < size) {
		memcpy(to, line, len);
		to[len] = '\0';
	}
}

static size_t on_header(char *line, size_t size, size_t nr, void *arg)
{
	struct answer *answer = arg;

	take_header(line, size * nr, "ETag:", answer->etag, sizeof(answer->etag));
	take_header(line, size * nr, "Content-Range:", answer->range, sizeof(answer->range));
	return size * nr;
}

static size_t on_body(char *bytes, size_t size, size_t nr, void *arg)
{
	struct answer *answer = arg;
	size_t len = size * nr, done = 0;
	ssize_t ret;

	if (answer->fd < 0)
		return len;
	if (len > answer->left) {
		answer->err = -EIO;
		return 0;
	}
	while (done < len) {
		ret = pwrite(answer->fd, bytes + done, len - done, answer->pos + done);
		if (ret <= 0) {
			answer->err = ret ? -errno : -EIO;
			return 0;
		}
		done += ret;
	}
	answer->pos += len;
	answer->left -= len;
	return len;
}

/* Escapes what is between slashes; NULL with errno set */
static char *object_url(CURL *curl, const char *object)
{
	size_t room = strlen(store_url) + 3 * strlen(object) + 2;
	char *url = malloc(room), *part;
	const char *end;
	size_t len;

	if (!url)
		return NULL;
	len = snprintf(url, room, "%s", store_url);
	for (; object; object = *end ? end + 1 : NULL) {
		end = strchrnul(object, '/');
		part = curl_easy_escape(curl, object, end - object);
		if (!part) {
			free(url);
			errno = ENOMEM;
			return NULL;
		}
		/* Of an empty text, curl would take the length for unknown */
		len += snprintf(url + len, room - len, "/%s", end > object ? part : "");
		curl_free(part);
	}
	return url;
}

/* store_name_is_odd - could a server take this name for another one? */
bool store_name_is_odd(const char *object)
{
	return !*object || *object == '/' || strstr(object, "//") || strstr(object, "..") ||
	       !strncmp(object, "./", 2) || strstr(object, "/./");
}

/* Nobody waits for the store when the mount is gone. */
static int on_progress(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
		       curl_off_t up)
{
	(void)arg;
	(void)down_all;
	(void)down;
	(void)up_all;
	(void)up;
	return store_stopped;
}

/* store_stop - give up whatever is asked of the store */
void store_stop(void)
{
	store_stopped = true;
}

static void set_common(CURL *curl, const char *url, struct answer *answer)
{
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, STALL_SECONDS);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, STALL_SPEED);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
}

static int store_ask(CURL *curl, const char *object, struct answer *answer, long *status)
{
	char *url = store_name_is_odd(object) ? NULL : object_url(curl, object);
	CURLcode code;

	if (!url)
		return store_name_is_odd(object) ? -EINVAL : -errno;
	set_common(curl, url, answer);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
	free(url);
	if (answer->err)
		return answer->err;
	if (code) {
		fprintf(stderr, "tierfs: %s: %s\n", object, curl_easy_strerror(code));
		return -EIO;
	}
	return 0;
}

/**
 * store_head - find out size, version and time of an object
 * @meta: its name is given; size, etag and mtime are set
 *
 * Return: 0, -ENOENT no such object, -EIO the store does not answer as it should, or
 * knows no versions
 */
int store_head(struct tier_meta *meta)
{
	struct answer answer = { .fd = -1 };
	CURL *curl = store_connection();
	curl_off_t size = -1, mtime = -1;
	long status = 0;
	int err;

	if (!curl)
		return -ENOMEM;
	curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(curl, CURLOPT_FILETIME, 1L);
	err = store_ask(curl, meta->object, &answer, &status);
	if (err)
		return err;
	if (status == 404)
		return -ENOENT;
	curl_easy_getinfo(curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
	curl_easy_getinfo(curl, CURLINFO_FILETIME_T, &mtime);
	if (status != 200 || size < 0 || !*answer.etag)
		return -EIO;
	meta->size = size;
	meta->mtime = (struct timespec){ .tv_sec = mtime < 0 ? 0 : mtime };
	strcpy(meta->etag, answer.etag);
	return 0;
}

/**
 * store_get - fetch a range of an object into a file, at the same place
 * @meta: what is known of the object
 * @fd: file, open for writing
 * @start: first byte
 * @size: bytes, not 0, within the object
 *
 * After an error, some bytes of the range may have been written.
 *
 * Return: 0, -EIO the store does not answer, has another version of the object or
 * sends something else, or what writing failed with
 */
int store_get(const struct tier_meta *meta, int fd, uint64_t start, uint64_t size)
{
	struct answer answer = { .fd = fd, .pos = start, .left = size };
	CURL *curl = store_connection();
	char range[64], expected[80], match[TIER_TEXT_MAX + 16];
	struct curl_slist *headers;
	long status = 0;
	int err;

	if (!curl)
		return -ENOMEM;
	snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64, start, start + size - 1);
	snprintf(expected, sizeof(expected), "bytes %s/%" PRIu64, range, meta->size);
	snprintf(match, sizeof(match), "If-Match: %s", meta->etag);
	headers = curl_slist_append(NULL, match);
	if (!headers)
		return -ENOMEM;
	curl_easy_setopt(curl, CURLOPT_RANGE, range);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	err = store_ask(curl, meta->object, &answer, &status);
	curl_slist_free_all(headers);
	if (err)
		return err;
	if (status != 206 || answer.left || strcmp(answer.range, expected) ||
	    strcmp(answer.etag, meta->etag)) {
		fprintf(stderr, "tierfs: %s: status %ld, '%s' in the place of '%s'\n", meta->object,
			status, answer.range, expected);
		return -EIO;
	}
	return 0;
}

/* Where in the file an upload is */
struct source {
	int fd;
	off_t pos;
};

static size_t on_read(char *to, size_t size, size_t nr, void *arg)
{
	struct source *source = arg;
	ssize_t len = pread(source->fd, to, size * nr, source->pos);

	/* A file that has become shorter ends too early, which is an error to curl */
	if (len < 0)
		return CURL_READFUNC_ABORT;
	source->pos += len;
	return len;
}

static int send_file(CURL *curl, const struct tier_meta *meta, int fd)
{
	struct source source = { .fd = fd };
	struct answer answer = { .fd = -1 };
	struct curl_slist *headers;
	long status = 0;
	int err;

	/* Without this, curl waits for the server to say that it wants the body */
	headers = curl_slist_append(NULL, "Expect:");
	if (!headers)
		return -ENOMEM;
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(curl, CURLOPT_READDATA, &source);
	curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)meta->size);
	err = store_ask(curl, meta->object, &answer, &status);
	curl_slist_free_all(headers);
	if (err)
		return err;
	return status == 200 || status == 201 || status == 204 ? 0 : -EIO;
}

/**
 * store_put - make an object from a file, and see that it is there
 * @meta: name, which no object has, and size are given; etag and mtime are set
 * @fd: the file
 *
 * The file may be changed meanwhile; then nobody knows what the object holds.
 *
 * Return: 0, -EIO the store does not take it or has something else afterwards, -ENOMEM
 */
int store_put(struct tier_meta *meta, int fd)
{
	const uint64_t size = meta->size;
	CURL *curl = store_connection();
	int err;

	if (!curl)
		return -ENOMEM;
	err = send_file(curl, meta, fd);
	if (!err)
		err = store_head(meta);
	if (err == -ENOENT || (!err && meta->size != size))
		err = -EIO;
	meta->size = size;
	return err;
}

/* store_remove - remove an object, that may not be there: 0, -EIO, -ENOMEM */
int store_remove(const char *object)
{
	struct answer answer = { .fd = -1 };
	CURL *curl = store_connection();
	long status = 0;
	int err;

	if (!curl)
		return -ENOMEM;
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "DELETE");
	err = store_ask(curl, object, &answer, &status);
	if (err)
		return err;
	return status == 200 || status == 204 || status == 404 ? 0 : -EIO;
}

static int ask_to_move(CURL *curl, const char *object, const char *url)
{
	struct answer answer = { .fd = -1 };
	struct curl_slist *headers;
	size_t room = strlen(url) + sizeof("Destination: ");
	char *line = malloc(room);
	long status = 0;
	int err;

	if (!line)
		return -ENOMEM;
	snprintf(line, room, "Destination: %s", url);
	headers = curl_slist_append(NULL, line);
	free(line);
	if (!headers)
		return -ENOMEM;
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "MOVE");
	err = store_ask(curl, object, &answer, &status);
	curl_slist_free_all(headers);
	if (err)
		return err;
	return status == 200 || status == 201 || status == 204 ? 0 : -EIO;
}

/* store_move - give an object a name that no other one has: 0, -EIO, -ENOMEM */
int store_move(const char *object, const char *name)
{
	CURL *curl = store_connection();
	char *url = curl ? object_url(curl, name) : NULL;
	int err;

	if (!url)
		return -ENOMEM;
	err = ask_to_move(curl, object, url);
	free(url);
	return err;
}
