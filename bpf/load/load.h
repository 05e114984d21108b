/* SPDX-License-Identifier: Apache-2.0 */
/* `load` and `unload`: the set of programs, brought up all or not at all, and taken down. */
#ifndef WARDEN_LOAD_H
#define WARDEN_LOAD_H

#include "options.h"
#include "policy.h"
#include "set.h"

enum wd_how {
	WD_HOW_FRESH,	       /* nothing usable was there */
	WD_HOW_ADOPTED,	       /* the same build was: programs, maps and rings untouched */
	WD_HOW_UPGRADED,       /* another build or mode, same layout: new programs, same maps */
};

/*
 * Brings the programs up in DIR, whose lock the caller holds, and proves that they run. `set` is
 * initialised by the caller. Writes DIR/load.json. Returns an exit code.
 */
int wd_load(const struct wd_options *options, gid_t gid, struct wd_policy *policy,
	    struct wd_set *set);

/*
 * Puts another policy into the programs that run, whose maps `set` has, and has the services read
 * it. The caller holds the lock of requests. Until the maps are written nothing has changed when it
 * fails. Returns an exit code.
 */
int wd_load_policy(const struct wd_options *options, const struct wd_set *set);

/*
 * Detaches and removes everything in DIR but the lock, whatever the guard allows us, and waits
 * until it is so. Returns an exit code.
 */
int wd_unload(const char *dir);

/*
 * Waits until the kernel has detached programs whose pins are gone; a negative `count` when they
 * are not known, but that the guard refuses us. Returns an exit code.
 */
int wd_wait_detached(const char *dir, const __u32 *programs, int count);

/* Writes DIR/load.json, and prints the same with `--json`. Returns an exit code. */
int wd_report(const struct wd_options *options, gid_t gid, const struct wd_policy *policy,
	      const struct wd_set *set, enum wd_how how);

#endif /* WARDEN_LOAD_H */
