/* SPDX-License-Identifier: Apache-2.0 */
/* What the guard remembers of objects, after a time in which it could not see them go. */
#ifndef WARDEN_FORGET_H
#define WARDEN_FORGET_H

#include "set.h"

#include <stdint.h>

/*
 * Takes what was remembered before `boot_ns` and is gone out of the objects map: its address may
 * belong to another by now. Returns 0 or -errno.
 */
int wd_forget_gone(const struct wd_set *set, __u64 boot_ns);

/* The hooks that see objects go can be skipped where the kernel preempts them. */
#define WD_FORGET_EVERY_MS 30000
#define WD_FORGET_AGE_MS 10000

/*
 * The same when it is time to, `*next_ms` of CLOCK_BOOTTIME, for what is older than
 * WD_FORGET_AGE_MS. Returns the milliseconds until the next time.
 */
int64_t wd_forget_look(int64_t *next_ms, const struct wd_set *set);

#endif /* WARDEN_FORGET_H */
