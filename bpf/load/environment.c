/* SPDX-License-Identifier: Apache-2.0 */
/* A list of what may stay: what a loader or a runtime takes from there is never known in full. */
#include "environment.h"

#include "cleanup.h"

#include <string.h>

#define COMPILED "NODE_COMPILE_CACHE"

extern char **environ;

/* Ours, where traces go, and how a terminal is written to. */
static const char *const PREFIXES[] = { "WARDEN_", "OTEL_", "LC_" };
static const char *const NAMES[] = { "COLORTERM", "COLUMNS", "FORCE_COLOR", "LANG", "NO_COLOR",
				     "TERM",	  "TZ" };

static bool is_named(const char *entry, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(entry, name, len) && entry[len] == '=';
}

static bool may_stay(const char *entry, bool sealed)
{
	for (size_t i = 0; i < WD_COUNT(PREFIXES); i++)
		if (!strncmp(entry, PREFIXES[i], strlen(PREFIXES[i])))
			return true;
	for (size_t i = 0; i < WD_COUNT(NAMES); i++)
		if (is_named(entry, NAMES[i]))
			return true;
	return !sealed && is_named(entry, COMPILED);
}

void wd_environment_clear(bool sealed)
{
	char **out = environ;

	for (char **in = environ; *in; in++)
		if (may_stay(*in, sealed))
			*out++ = *in;
	*out = NULL;
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
}
