/* SPDX-License-Identifier: Apache-2.0 */
/* kfuncs as classes: the kfuncs map, and each grant's mask. */
#ifndef WARDEN_CLASSES_H
#define WARDEN_CLASSES_H

#include "policy.h"
#include "set.h"

/*
 * Writes the kfuncs map for the policy in force, `half`, and the one to come, and fills the masks
 * of `policy`, which the caller then writes into the other half. No answer of the half in force
 * changes at any moment of it. Returns an exit code.
 */
int wd_classes_write(const struct wd_set *set, struct wd_policy *policy, __u32 half);

#endif /* WARDEN_CLASSES_H */
