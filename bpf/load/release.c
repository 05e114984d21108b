/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each file is read once: the bytes that are hashed are the bytes that are written. By libcrypto,
 * which is several times as fast as our own: Node alone is 120 MB.
 */
#include "release.h"

#include "cleanup.h"
#include "place.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define LIST "SHA256SUMS"
#define LIST_MAX 65536
#define FILE_MAX (1L << 30)
/* "HEX64  NAME" */
#define NAME_AT (2 * WD_SHA256_LEN + 2)

struct content {
	void *bytes;
	size_t len;
};

static void free_content(struct content *content)
{
	if (content->len)
		munmap(content->bytes, content->len);
}

#define _cleanup_content_ __attribute__((cleanup(free_content)))

/* A private copy in memory: a mapped file can change under whoever reads it twice. */
static int read_content(const char *path, size_t max, struct content *ret_content)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat info;
	size_t done = 0;
	void *bytes;

	if (fd < 0 || fstat(fd, &info))
		return -errno;
	if (!S_ISREG(info.st_mode) || info.st_size == 0 || (size_t)info.st_size > max)
		return -EINVAL;
	bytes = mmap(NULL, info.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	if (bytes == MAP_FAILED)
		return -errno;
	*ret_content = (struct content){ bytes, info.st_size };
	while (done < ret_content->len) {
		ssize_t n = read(fd, (char *)bytes + done, ret_content->len - done);

		if (n <= 0)
			return n ? -errno : -EIO;
		done += n;
	}
	return 0;
}

/* Below the release, and nowhere else. */
static bool is_plain(const char *name)
{
	if (!*name || *name == '/' || strlen(name) > NAME_MAX)
		return false;
	for (const char *at = name; *at; at++)
		if ((unsigned char)*at <= ' ' || *at == 127 ||
		    (at[0] == '.' && (at == name || at[-1] == '/')))
			return false;
	return true;
}

static int write_file(const char *into, const char *name, const struct content *content)
{
	_cleanup_fd_ int fd = -1;
	char path[PATH_MAX];
	size_t done = 0;
	char *slash;
	int err;

	snprintf(path, sizeof(path), "%s/%s", into, name);
	slash = strrchr(path, '/');
	*slash = 0;
	err = wd_make_path(path, 0755);
	*slash = '/';
	if (err)
		return err;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0555);
	if (fd < 0)
		return -errno;
	while (done < content->len) {
		ssize_t n = write(fd, (char *)content->bytes + done, content->len - done);

		if (n < 0)
			return -errno;
		done += n;
	}
	return 0;
}

/* Checks the file of one line, and copies it unless `into` is NULL. Returns an exit code. */
static int take_file(const char *app, const char *line, const char *into)
{
	_cleanup_content_ struct content content = {};
	uint8_t wanted[WD_SHA256_LEN], found[WD_SHA256_LEN];
	const char *name = line + NAME_AT;
	char path[PATH_MAX], hex[WD_SHA256_HEX] = "";
	int err;

	snprintf(path, sizeof(path), "%s/" LIST, app);
	if (strlen(line) <= NAME_AT || strncmp(line + 2 * WD_SHA256_LEN, "  ", 2) ||
	    !is_plain(name))
		return wd_fail(EX_DATAERR, "release", path, 0, "is no list of sha256sum");
	memcpy(hex, line, sizeof(hex) - 1);
	if (wd_unhex(hex, sizeof(wanted), wanted))
		return wd_fail(EX_DATAERR, "release", path, 0, "is no list of sha256sum");
	snprintf(path, sizeof(path), "%s/%s", app, name);
	err = read_content(path, FILE_MAX, &content);
	if (err)
		return wd_fail(EX_NOINPUT, "release", path, err, NULL);
	if (EVP_Digest(content.bytes, content.len, found, NULL, EVP_sha256(), NULL) != 1)
		return wd_fail(EX_SOFTWARE, "release", path, 0, "can't be hashed");
	if (memcmp(found, wanted, sizeof(found)))
		return wd_fail(EX_NOPERM, "release", path, 0, "is not the file that was released");
	err = into ? write_file(into, name, &content) : 0;
	return err ? wd_fail(EX_OSERR, "release", name, err, "can't be copied") : EX_OK;
}

/* `wanted` and `into` may be NULL: then any release does, and none is copied. */
static int take_release(const char *app, const uint8_t *wanted, const char *into,
			uint8_t ret_digest[WD_SHA256_LEN])
{
	_cleanup_content_ struct content list = {};
	char path[PATH_MAX], line[PATH_MAX];
	int err, code = EX_OK;
	size_t at = 0;

	snprintf(path, sizeof(path), "%s/" LIST, app);
	err = read_content(path, LIST_MAX, &list);
	if (err)
		return wd_fail(EX_NOINPUT, "release", path, err,
			       "services of a sealed guard run from a release: setup/release");
	wd_sha256(list.bytes, list.len, ret_digest);
	if (wanted && memcmp(ret_digest, wanted, WD_SHA256_LEN))
		return wd_fail(EX_NOPERM, "release", path, 0,
			       "is another release than the one that was sealed");
	while (!code && at < list.len) {
		const char *begin = (const char *)list.bytes + at;
		const char *end = memchr(begin, '\n', list.len - at);

		if (!end || end - begin >= (long)sizeof(line))
			return wd_fail(EX_DATAERR, "release", path, 0, "has a line without end");
		memcpy(line, begin, end - begin);
		line[end - begin] = 0;
		code = take_file(app, line, into);
		at += end - begin + 1;
	}
	return code;
}

int wd_release_digest(const char *app, uint8_t ret_digest[WD_SHA256_LEN])
{
	return take_release(app, NULL, NULL, ret_digest);
}

int wd_release_copy(const char *app, const uint8_t digest[WD_SHA256_LEN], const char *into)
{
	uint8_t found[WD_SHA256_LEN];

	return take_release(app, digest, into, found);
}

static bool is_file(const char *word, const char *app, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", app, name);
	return word && !strcmp(word, path);
}

/* Everything in one process: the rest of the line is a file and its verb. */
static bool starts_up(char *const *rest, const char *app)
{
	return is_file(rest[0], app, WD_RELEASE_MAIN) && rest[1] && !strcmp(rest[1], "up") &&
	       !rest[2];
}

static bool is_number(const char *word, const char *option)
{
	size_t len = strlen(option);

	return !strncmp(word, option, len) && word[len] &&
	       strspn(word + len, "0123456789") == strlen(word + len);
}

/* An agent of a fleet: how much Node may take, and a file. */
static bool starts_agent(char *const *rest, const char *app)
{
	while (*rest && (is_number(*rest, "--max-semi-space-size=") ||
			 is_number(*rest, "--v8-pool-size=")))
		rest++;
	return is_file(rest[0], app, WD_RELEASE_AGENT) && !rest[1];
}

bool wd_release_starts(char *const *command, const char *app)
{
	static const char *const options[] = { "--disable-sigusr1",
					       "--disable-warning=ExperimentalWarning" };
	char node[PATH_MAX];
	size_t at = 1;

	snprintf(node, sizeof(node), "%s/" WD_RELEASE_NODE, app);
	if (strcmp(command[0], node))
		return false;
	for (; at <= WD_COUNT(options); at++)
		if (!command[at] || strcmp(command[at], options[at - 1]))
			return false;
	return starts_up(command + at, app) || starts_agent(command + at, app);
}
