/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's clocks, and the end of an fd. */
#include "addon.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

/*
 * bootOffset(): CLOCK_REALTIME minus CLOCK_BOOTTIME in nanoseconds, as a BigInt. The two clocks are
 * read on both sides of each other, so that a preemption in between halves instead of adds up.
 */
napi_value wd_bootOffset(napi_env env, napi_callback_info info)
{
	struct timespec before, wall, after;
	napi_value value;

	(void)info;
	clock_gettime(CLOCK_BOOTTIME, &before);
	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_BOOTTIME, &after);

	const int64_t middle = ((before.tv_sec + after.tv_sec) * 1000000000LL + before.tv_nsec +
				after.tv_nsec) / 2;

	napi_create_bigint_int64(env, wall.tv_sec * 1000000000LL + wall.tv_nsec - middle, &value);
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
