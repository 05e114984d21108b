/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the monitor is to watch: a request leaves it in DIR/loaders, the monitor reads it there. Its
 * digest is in the map of the policy, so that nobody makes a loader by editing a file.
 */
#include "change.h"

#include "cleanup.h"
#include "say.h"
#include "sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define LIST_BYTES_MAX (WD_MAX_LOADERS * (PATH_MAX + 512))
#define NOTICED (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE | IN_ONLYDIR)
/* What is left is read before the next look. */
#define READS_MAX 16

/* As large as a policy: there is one monitor in a process. */
static struct wd_policy listed;

static void list_path(const char *dir, const char *suffix, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/loaders%s", dir, suffix);
}

static void put_line(FILE *file, const struct wd_policy_loader *loader)
{
	char digest[2 * WD_DIGEST_LEN + 1] = "-";

	if (loader->has_sha256)
		wd_hex(loader->sha256, WD_DIGEST_LEN, digest);
	fprintf(file, "%u kind=%s grant=%u floor=%u name=%s sha256=%s listed=%u keep=%u path=%s\n",
		loader->number, wd_loader_kind_name(loader->kind), loader->grant, loader->floor,
		loader->name, digest, loader->listed, loader->keep_s, loader->path);
}

/* The whole list, to be freed, or NULL. */
static char *render(const struct wd_policy *policy, size_t *ret_len)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, ret_len);

	if (!file)
		return NULL;
	for (__u32 i = 0; i < policy->loaders_count; i++)
		put_line(file, &policy->loaders[i]);
	return fclose(file) ? NULL : text;
}

int wd_changes_digest(const struct wd_policy *policy, __u8 ret_digest[WD_DIGEST_LEN])
{
	size_t len;
	_cleanup_free_ char *text = render(policy, &len);

	if (!text)
		return wd_fail(EX_OSERR, "apply policy", "loaders", ENOMEM, NULL);
	wd_sha256(text, len, ret_digest);
	return EX_OK;
}

static const __u8 *list_in_force(const struct wd_config *config)
{
	return config->policy[config->half % WD_POLICY_HALVES].list;
}

static int write_list(const char *dir, const char *text, size_t len)
{
	char path[PATH_MAX], beside[PATH_MAX];
	_cleanup_file_ FILE *file = NULL;

	list_path(dir, "", path);
	list_path(dir, ".next", beside);
	file = fopen(beside, "we");
	if (!file || fwrite(text, 1, len, file) != len || fflush(file) ||
	    fchmod(fileno(file), 0600) || rename(beside, path))
		return -errno;
	return 0;
}

/* The policy is in force with or without it: where it is missing the monitor says so. */
void wd_changes_write(const char *dir, const struct wd_policy *policy, const struct wd_set *set)
{
	size_t len = 0;
	_cleanup_free_ char *text = render(policy, &len);
	__u8 digest[WD_DIGEST_LEN];
	struct wd_config config;
	int err;

	if (!text || wd_config_read(set, &config))
		return wd_note("%s/loaders: not written", dir);
	wd_sha256(text, len, digest);
	if (memcmp(list_in_force(&config), digest, sizeof(digest)))
		return;
	err = write_list(dir, text, len);
	if (err)
		wd_note("%s/loaders: not written: %s", dir, strerror(-err));
}

/* The text with this digest, to be freed, or NULL. */
static char *read_list(const char *dir, const __u8 digest[WD_DIGEST_LEN])
{
	_cleanup_free_ char *text = NULL;
	_cleanup_file_ FILE *file = NULL;
	__u8 found[WD_DIGEST_LEN];
	char path[PATH_MAX], *whole;
	struct stat info;
	size_t len;

	list_path(dir, "", path);
	file = fopen(path, "re");
	if (!file || fstat(fileno(file), &info) || !S_ISREG(info.st_mode) ||
	    info.st_size > LIST_BYTES_MAX)
		return NULL;
	text = malloc(info.st_size + 1);
	if (!text)
		return NULL;
	len = fread(text, 1, info.st_size, file);
	text[len] = 0;
	wd_sha256(text, len, found);
	if (memcmp(found, digest, sizeof(found)))
		return NULL;
	whole = text;
	text = NULL;
	return whole;
}

static bool is_first_of_path(__u32 line)
{
	for (__u32 i = 0; i < line; i++)
		if (!strcmp(listed.loaders[i].path, listed.loaders[line].path))
			return false;
	return true;
}

static bool take_lines(struct wd_changes *changes, char *text)
{
	char *rest = NULL;

	memset(&listed, 0, sizeof(listed));
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *cursor = line;

		if (wd_read_loader(&listed, &cursor))
			return false;
	}
	changes->count = 0;
	for (__u32 i = 0; i < listed.loaders_count; i++)
		if (is_first_of_path(i))
			changes->files[changes->count++] = (struct wd_watched){
				.policy = &listed,
				.line = &listed.loaders[i],
			};
	return true;
}

/* To be told at once; what can't be watched is looked at each second all the same. */
static void begin_notice(struct wd_changes *changes)
{
	if (changes->notify >= 0)
		close(changes->notify);
	changes->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (changes->notify < 0)
		return;
	for (__u32 i = 0; i < changes->count; i++) {
		char path[PATH_MAX];

		memcpy(path, changes->files[i].line->path, sizeof(path));
		inotify_add_watch(changes->notify, dirname(path), NOTICED);
	}
	fcntl(changes->notify, F_SETOWN, getpid());
	fcntl(changes->notify, F_SETFL, O_NONBLOCK | O_ASYNC);
}

bool wd_changes_read(struct wd_changes *changes, const struct wd_config *config)
{
	_cleanup_free_ char *text = NULL;

	if (changes->applied && changes->applied == config->applied)
		return true;
	changes->applied = 0;
	text = read_list(changes->dir, list_in_force(config));
	if (!text || !take_lines(changes, text))
		return false;
	changes->applied = config->applied;
	changes->next = 0;
	changes->dirty = true;
	begin_notice(changes);
	return true;
}

bool wd_changes_told(const struct wd_changes *changes)
{
	char events[4096];
	bool told = false;

	for (int i = 0; i < READS_MAX && changes->notify >= 0; i++) {
		if (read(changes->notify, events, sizeof(events)) <= 0)
			break;
		told = true;
	}
	return told;
}

void wd_changes_end(struct wd_changes *changes)
{
	if (changes->notify >= 0)
		close(changes->notify);
	changes->notify = -1;
}
