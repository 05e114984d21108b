/* SPDX-License-Identifier: Apache-2.0 */
/* Which policy the services read: `apply` leaves its name, and the monitor hands it on. */
#include "source.h"

#include "cleanup.h"
#include "place.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

static void source_path(const char *dir, const char *name, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/%s", dir, name);
}

int wd_source_check(const char *path)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat info;

	if (fd < 0 || fstat(fd, &info))
		return wd_fail(EX_NOINPUT, "policy", path, errno, NULL);
	if (!S_ISREG(info.st_mode))
		return wd_fail(EX_NOINPUT, "policy", path, 0, "is no file");
	/* Its name is handed on in a line. */
	if (strpbrk(path, "\n\r"))
		return wd_fail(EX_USAGE, "policy", path, 0, "its name has a line break");
	/* Whoever could write it could say what the services take for the policy in force. */
	if (info.st_uid != 0 || info.st_mode & 0022)
		return wd_fail(EX_NOPERM, "policy", path, 0,
			       "it must belong to root and be writable by nobody else");
	return EX_OK;
}

#define STAGED "WARDEN_STAGED_POLICY"

/* What services lived with last; "": nothing yet. */
static char proven[PATH_MAX];

void wd_source_prove(void)
{
	const char *now = getenv(STAGED);

	snprintf(proven, sizeof(proven), "%s", now ? now : "");
}

bool wd_source_back(void)
{
	const char *now = getenv(STAGED);

	if (!*proven || (now && !strcmp(now, proven)))
		return false;
	setenv(STAGED, proven, 1);
	return true;
}

void wd_source_take(const char *dir)
{
	_cleanup_file_ FILE *file = NULL;
	char path[PATH_MAX], source[PATH_MAX] = "";

	source_path(dir, "source", path);
	file = fopen(path, "re");
	if (!file || !fgets(source, sizeof(source), file))
		return wd_note("source: %s: %s", path, strerror(errno));
	source[strcspn(source, "\n")] = 0;
	setenv(STAGED, source, 1);
}

int wd_source_name(const char *dir, const char *source)
{
	_cleanup_file_ FILE *file = NULL;
	char path[PATH_MAX], beside[PATH_MAX];

	source_path(dir, "source", path);
	source_path(dir, "source.next", beside);
	file = fopen(beside, "we");
	if (!file || fprintf(file, "%s\n", source) < 0 || fflush(file) || rename(beside, path))
		return wd_fail(EX_CANTCREAT, "source", path, errno, NULL);
	return EX_OK;
}

int wd_source_tell(const char *dir)
{
	int err = wd_place_signal(dir, SIGUSR1);

	if (!err || err == -ESRCH)
		return EX_OK;
	return wd_fail(EX_OSERR, "tell the monitor", dir, err,
		       "the policy is in force, but the services read the one before");
}
