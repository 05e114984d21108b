/* SPDX-License-Identifier: Apache-2.0 */
/* Tries, each said as one line of JSON: what it was, and 0 or the errno. */
#ifndef TRIES_H
#define TRIES_H

#include "workload.h"

#define PATH_ROOM 512

static inline void say(const char *what, long result)
{
	if (result < 0)
		printf("{\"try\":\"%s\",\"errno\":%d}\n", what, errno);
	else
		printf("{\"try\":\"%s\",\"errno\":0}\n", what);
	fflush(stdout);
}

static inline const char *in(const char *dir, const char *name)
{
	static char path[PATH_ROOM];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

#endif /* TRIES_H */
