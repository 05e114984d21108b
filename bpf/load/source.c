/* SPDX-License-Identifier: Apache-2.0 */
/* Which policy the services read: `apply` leaves its name, and the monitor hands it on. */
#include "source.h"

#include "cleanup.h"
#include "place.h"
#include "say.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

static void source_path(const char *dir, const char *name, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/%s", dir, name);
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
	setenv("WARDEN_STAGED_POLICY", source, 1);
}

int wd_source_name(const char *dir, const char *source)
{
	_cleanup_file_ FILE *file = NULL;
	char path[PATH_MAX], beside[PATH_MAX];
	pid_t owner;

	source_path(dir, "source", path);
	source_path(dir, "source.next", beside);
	file = fopen(beside, "we");
	if (!file || fprintf(file, "%s\n", source) < 0 || fflush(file) || rename(beside, path))
		return wd_fail(EX_CANTCREAT, "source", path, errno, NULL);
	owner = wd_place_owner(dir);
	if (owner > 1 && kill(owner, SIGUSR1))
		return wd_fail(EX_OSERR, "tell the monitor", path, errno, NULL);
	return EX_OK;
}
