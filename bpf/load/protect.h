/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guard must be told to keep itself: the bpffs with our pins and the mount it is, the
 * functions that our programs are on, and a program on the root cgroup that keeps ftrace_enabled
 * from being set to 0. That one has neither link nor name to take hold of: only who has its fd can
 * detach it, and hangs on no trampoline.
 */
#ifndef WARDEN_PROTECT_USER_H
#define WARDEN_PROTECT_USER_H

#include "set.h"

/* Once everything is pinned; again is no harm. Returns an exit code. */
int wd_protect_begin(const char *dir, const struct wd_set *set);

/* Detaches the cgroup's program of every generation but `keep` (0: all). Returns 0 or -errno. */
int wd_protect_end(const char *dir, __u32 keep);

#endif /* WARDEN_PROTECT_USER_H */
