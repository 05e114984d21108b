/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watchdog: notices that the guard does not run, or is no longer held, and says so by ways that
 * do not need it: a record through the `declare` program, the kernel's log, stderr, and
 * DIR/guard.json, whose time is the last look. Who stops the services is not kept from it: they,
 * and the time in which the monitor itself stood still, are told in the same way.
 */
#ifndef WARDEN_WATCHDOG_H
#define WARDEN_WATCHDOG_H

#include "set.h"

#include <stdint.h>
#include <sys/types.h>

/* A look each second: what is wrong is said within two. */
#define WD_LOOK_EVERY_MS 1000

enum wd_wrong {
	WD_WRONG_CANARY = 1 << 0, /* a call was made that the programs did not see */
	WD_WRONG_FTRACE = 1 << 1, /* ftrace_enabled is 0: the kernel calls none of our hooks */
	WD_WRONG_LINKS = 1 << 2,  /* a link of ours has no program */
	WD_WRONG_PINS = 1 << 3,	  /* a pin is gone: the programs last as long as the monitor */
	WD_WRONG_STOPPED = 1 << 4, /* the services were sent SIGSTOP */
	WD_WRONG_FROZEN = 1 << 5,  /* the services' cgroup is frozen */
	WD_WRONG_HIDDEN = 1 << 6,  /* DIR/bpf is not our bpffs: moved, or below another */
};

struct wd_watchdog {
	const char *dir;
	__u32 wrong;	       /* enum wd_wrong, as it was said */
	bool said;	       /* once: the first look is written down whatever it finds */
	pid_t service;	       /* whose stopping is to be noticed; 0: nobody */
	int64_t next_ms;       /* CLOCK_BOOTTIME */
	int64_t looked_ms;     /* CLOCK_MONOTONIC, which a suspended machine does not count */
};

/* Looks when it is time to. Returns the milliseconds until the next look. */
int64_t wd_watchdog_look(struct wd_watchdog *watchdog, const struct wd_set *set);

#endif /* WARDEN_WATCHDOG_H */
