/* SPDX-License-Identifier: Apache-2.0 */
/* What the guard remembers of objects, after a time in which it could not see them go. */
#ifndef WARDEN_FORGET_H
#define WARDEN_FORGET_H

#include "set.h"

/*
 * Takes what was remembered before `boot_ns` and is gone out of the objects map: its address may
 * belong to another by now. Returns 0 or -errno.
 */
int wd_forget_gone(const struct wd_set *set, __u64 boot_ns);

#endif /* WARDEN_FORGET_H */
