/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's clocks, and the end of an fd. */
#include "addon.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

/* A reading is taken as it is when it took no longer; the best of so many otherwise. */
#define SHORT_NS 2000
#define READINGS 8

static int64_t in_ns(const struct timespec *at)
{
	return at->tv_sec * 1000000000LL + at->tv_nsec;
}

/*
 * bootOffset(): CLOCK_REALTIME minus CLOCK_BOOTTIME in nanoseconds, as a BigInt. The two clocks are
 * read on both sides of each other: a preemption in between shows, and that reading is not taken.
 */
napi_value wd_bootOffset(napi_env env, napi_callback_info info)
{
	int64_t offset = 0, shortest = INT64_MAX;
	napi_value value;

	(void)info;
	for (int i = 0; i < READINGS && shortest > SHORT_NS; i++) {
		struct timespec before, wall, after;
		int64_t took;

		clock_gettime(CLOCK_BOOTTIME, &before);
		clock_gettime(CLOCK_REALTIME, &wall);
		clock_gettime(CLOCK_BOOTTIME, &after);
		took = in_ns(&after) - in_ns(&before);
		if (took >= shortest)
			continue;
		shortest = took;
		offset = in_ns(&wall) - in_ns(&before) - took / 2;
	}
	napi_create_bigint_int64(env, offset, &value);
	return value;
}

/* closeFd(fd) */
napi_value wd_closeFd(napi_env env, napi_callback_info info)
{
	napi_value args[1];
	int64_t fd;

	if (wd_args(env, info, 1, args) || wd_int(env, args[0], &fd))
		return NULL;
	if (close((int)fd) < 0)
		return wd_throw_errno(env, errno, "close");
	return wd_undefined(env);
}
