/* SPDX-License-Identifier: Apache-2.0 */
/* The end of every way of coming up: roles, labels, and the proof that the programs run. */
#ifndef WARDEN_SETTLE_H
#define WARDEN_SETTLE_H

#include "policy.h"
#include "set.h"

/* True when a load must leave the policy in force: sealed, or newer than that of early boot. */
bool wd_keeps_policy(const struct wd_config *config, const struct wd_policy *policy);

/* Makes this process one of ours. Returns an exit code. */
int wd_take_role(const struct wd_set *set);

/* Lists own objects and own file, labels the tasks that are there, makes the canary call. */
int wd_settle(const struct wd_set *set, enum wd_baseline mode);

/*
 * From here on every program is scanned. Called when that is so already: what was loaded before, a
 * load that is under way among it, is taken as it is. What went while no guard saw it is forgotten.
 * Returns 0 or -errno.
 */
int wd_begin_guard(const struct wd_set *set);

#endif /* WARDEN_SETTLE_H */
