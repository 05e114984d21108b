/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing a pin detaches, but not at once: the kernel does it when it comes to it, seconds later
 * on a busy machine, and a guard refuses till then. Whoever unloads may count on it being over.
 */
#include "cleanup.h"
#include "load.h"
#include "place.h"
#include "protect.h"
#include "say.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <time.h>

#define WAIT_MS 30000
#define LOOK_EVERY_MS 20

/* EPERM is the guard itself: whether the program is there is more than it tells. */
static bool is_gone(__u32 program)
{
	_cleanup_fd_ int fd = bpf_prog_get_fd_by_id(program);

	return fd < 0 && errno == ENOENT;
}

/* A guard that refuses us says so for a path where nothing is, too. */
static bool still_refuses(const char *dir)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/bpf/config", dir);
	fd = bpf_obj_get(path);
	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == EPERM;
}

static bool is_over(const char *dir, const __u32 *programs, int count)
{
	if (count < 0)
		return !still_refuses(dir);
	for (int i = 0; i < count; i++)
		if (!is_gone(programs[i]))
			return false;
	return true;
}

int wd_wait_detached(const char *dir, const __u32 *programs, int count)
{
	const struct timespec pause = { .tv_nsec = LOOK_EVERY_MS * 1000000L };

	for (int waited = 0; !is_over(dir, programs, count); waited += LOOK_EVERY_MS) {
		if (waited >= WAIT_MS)
			return wd_fail(EX_OSERR, "detach", dir, ETIMEDOUT,
				       "all pins are gone, but something else holds the programs");
		nanosleep(&pause, NULL);
	}
	return EX_OK;
}

int wd_unload(const char *dir)
{
	static const char *const leftovers[] = { "load.json", "load.json.next", "source",
						  "source.next", "guard.json",
						  "guard.json.next", "request.lock", "sealed",
						  "loaders", "loaders.next",
						  "changes.json", "changes.json.next",
						  "before.json" };
	__u32 programs[WD_PROGRAMS_MAX];
	_cleanup_fd_ int lock = -1;
	char path[PATH_MAX];
	int count, code;

	/* A request that hangs may not keep root from getting out. */
	if (wd_place_request(dir, &lock))
		wd_note("unload: %s: goes on all the same", dir);
	count = wd_set_list_programs(dir, 0, programs, WD_PROGRAMS_MAX);
	if (wd_protect_end(dir, 0))
		wd_note("unload: %s: the program that keeps ftrace_enabled stays till a reboot",
			dir);
	code = wd_bpffs_unmount(dir);
	if (!code)
		code = wd_wait_detached(dir, programs, count);
	for (size_t i = 0; i < WD_COUNT(leftovers); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, leftovers[i]);
		if (unlink(path) && errno != ENOENT)
			code = wd_fail(EX_OSERR, "remove", path, errno, NULL);
	}
	snprintf(path, sizeof(path), "%s/app", dir);
	rmdir(path);
	return code;
}
