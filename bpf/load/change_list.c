/* SPDX-License-Identifier: Apache-2.0 */
/* What the monitor is to watch: a request leaves it in DIR/loaders, the monitor reads it there. */
#include "change.h"

#include "cleanup.h"
#include "say.h"
#include "sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define LINE_BYTES (PATH_MAX + 512)
#define NOTICED (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE | IN_ONLYDIR)

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

int wd_changes_write(const char *dir, const struct wd_policy *policy, const struct wd_set *set)
{
	char path[PATH_MAX], beside[PATH_MAX], hash[2 * WD_DIGEST_LEN + 1];
	_cleanup_file_ FILE *file = NULL;
	struct wd_config config;
	int err = wd_config_read(set, &config);

	if (err)
		return wd_fail(EX_OSERR, "read config", "config", err, NULL);
	if (memcmp(config.policy[config.half % WD_POLICY_HALVES].hash, policy->scalars.hash,
		   WD_DIGEST_LEN))
		return EX_OK;
	list_path(dir, "", path);
	list_path(dir, ".next", beside);
	file = fopen(beside, "we");
	if (!file)
		return wd_fail(EX_CANTCREAT, "write", beside, errno, NULL);
	wd_hex(policy->scalars.hash, WD_DIGEST_LEN, hash);
	fprintf(file, "%s\n", hash);
	for (__u32 i = 0; i < policy->loaders_count; i++)
		put_line(file, &policy->loaders[i]);
	if (fflush(file) || fchmod(fileno(file), 0600) || rename(beside, path))
		return wd_fail(EX_IOERR, "write", path, errno, NULL);
	return EX_OK;
}

/* The lines as `apply` left them. False when they are not whole. */
static bool read_lines(FILE *file, __u8 ret_hash[WD_DIGEST_LEN])
{
	static char line[LINE_BYTES];
	char *cursor = line;

	memset(&listed, 0, sizeof(listed));
	if (!fgets(line, sizeof(line), file) || strlen(line) != 2 * WD_DIGEST_LEN + 1)
		return false;
	line[2 * WD_DIGEST_LEN] = 0;
	if (wd_unhex(line, WD_DIGEST_LEN, ret_hash))
		return false;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		cursor = line;
		if (wd_read_loader(&listed, &cursor))
			return false;
	}
	return !ferror(file);
}

static bool is_first_of_path(__u32 line)
{
	for (__u32 i = 0; i < line; i++)
		if (!strcmp(listed.loaders[i].path, listed.loaders[line].path))
			return false;
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

		strcpy(path, changes->files[i].line->path);
		inotify_add_watch(changes->notify, dirname(path), NOTICED);
	}
	fcntl(changes->notify, F_SETOWN, getpid());
	fcntl(changes->notify, F_SETFL, O_NONBLOCK | O_ASYNC);
}

bool wd_changes_read(struct wd_changes *changes)
{
	_cleanup_file_ FILE *file = NULL;
	char path[PATH_MAX];
	struct stat info;

	list_path(changes->dir, "", path);
	file = fopen(path, "re");
	if (!file || fstat(fileno(file), &info))
		return false;
	if (info.st_ino == changes->list.st_ino && info.st_ctime == changes->list.st_ctime &&
	    info.st_ctim.tv_nsec == changes->list.st_ctim.tv_nsec)
		return true;
	changes->list = info;
	changes->count = 0;
	if (!read_lines(file, changes->hash)) {
		wd_note("%s: not readable: changes of loaders are not noticed", path);
		return false;
	}
	for (__u32 i = 0; i < listed.loaders_count; i++)
		if (is_first_of_path(i))
			changes->files[changes->count++] = (struct wd_watched){
				.policy = &listed,
				.line = &listed.loaders[i],
			};
	begin_notice(changes);
	return true;
}

bool wd_changes_told(const struct wd_changes *changes)
{
	char events[4096];
	bool told = false;

	while (changes->notify >= 0 && read(changes->notify, events, sizeof(events)) > 0)
		told = true;
	return told;
}

bool wd_changes_are_listed(const char *dir)
{
	char path[PATH_MAX];

	list_path(dir, "", path);
	return access(path, F_OK) == 0;
}

void wd_changes_end(struct wd_changes *changes)
{
	if (changes->notify >= 0)
		close(changes->notify);
	changes->notify = -1;
}
