/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for rings and for a call from another thread. */
#include "addon.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define WD_MAX_WAIT 16

/* wait([fd…], timeout in ms): bit n set when fd n is ready; 0 after the timeout or a signal. */
napi_value wd_wait(napi_env env, napi_callback_info info)
{
	struct pollfd fds[WD_MAX_WAIT];
	napi_value args[2], item;
	int64_t fd, timeout, ready = 0;
	uint32_t count;

	if (wd_args(env, info, 2, args) || wd_int(env, args[1], &timeout))
		return NULL;
	if (napi_get_array_length(env, args[0], &count) != napi_ok || count > WD_MAX_WAIT)
		return wd_throw_type(env, "an array of at most 16 fds is needed");
	for (uint32_t i = 0; i < count; i++) {
		napi_get_element(env, args[0], i, &item);
		if (wd_int(env, item, &fd))
			return NULL;
		fds[i] = (struct pollfd){ .fd = (int)fd, .events = POLLIN };
	}
	if (poll(fds, count, (int)timeout) < 0 && errno != EINTR)
		return wd_throw_errno(env, errno, "poll");
	for (uint32_t i = 0; i < count; i++)
		if (fds[i].revents)
			ready |= 1 << i;
	return wd_number(env, ready);
}

/* eventOpen(): an fd that another thread of this process can make ready. */
napi_value wd_eventOpen(napi_env env, napi_callback_info info)
{
	const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	(void)info;
	return fd < 0 ? wd_throw_errno(env, errno, "eventfd") : wd_number(env, fd);
}

/* eventSignal(fd) */
napi_value wd_eventSignal(napi_env env, napi_callback_info info)
{
	napi_value args[1];
	int64_t fd;

	if (wd_args(env, info, 1, args) || wd_int(env, args[0], &fd))
		return NULL;
	if (eventfd_write((int)fd, 1) < 0 && errno != EAGAIN)
		return wd_throw_errno(env, errno, "eventfd");
	return wd_undefined(env);
}

/* eventDrain(fd) */
napi_value wd_eventDrain(napi_env env, napi_callback_info info)
{
	napi_value args[1];
	eventfd_t count;
	int64_t fd;

	if (wd_args(env, info, 1, args) || wd_int(env, args[0], &fd))
		return NULL;
	if (eventfd_read((int)fd, &count) < 0 && errno != EAGAIN)
		return wd_throw_errno(env, errno, "eventfd");
	return wd_undefined(env);
}

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
