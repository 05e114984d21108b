/* SPDX-License-Identifier: Apache-2.0 */
/* From one build or mode of the programs to another, on the same maps. */
#ifndef WARDEN_UPGRADE_H
#define WARDEN_UPGRADE_H

#include "options.h"
#include "policy.h"
#include "set.h"

/*
 * Loads the programs of this build beside those of `before` that act, proves them, and drops the
 * others. When it fails these act as they did. Returns an exit code.
 */
int wd_upgrade(const struct wd_options *options, __u32 mode, gid_t gid, struct wd_policy *policy,
	       const struct wd_config *before, struct wd_set *set);

#endif /* WARDEN_UPGRADE_H */
