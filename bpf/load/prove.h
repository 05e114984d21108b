/* SPDX-License-Identifier: Apache-2.0 */
/* Roles, the labels of tasks that are already there, and the proof that the programs run. */
#ifndef WARDEN_PROVE_H
#define WARDEN_PROVE_H

#include "set.h"

#include <sys/types.h>

/* Gives a process its role; its children inherit it. Returns 0 or -errno. */
int wd_give_role(const struct wd_set *set, pid_t pid, enum wd_role role);

/* What a token has just allowed us, the guard allows too. Returns 0 or -errno. */
int wd_role_unsealed(const struct wd_set *set);

/* Labels the tasks that are there, by the baseline iterator. Returns 0 or -errno. */
int wd_label_baseline(const struct wd_set *set, enum wd_baseline mode);

/* Lets the programs of a generation act, in one store. Returns 0 or -errno. */
int wd_let_act(const struct wd_set *set, __u32 generation);

/* Makes the canary call; -ENOTRECOVERABLE when the programs did not see it. */
int wd_canary(const struct wd_set *set);

/*
 * Adds to the stats how often the kernel skipped a hook since the last time: WD_ERR_SKIPPED.
 * Returns 0 or -errno.
 */
int wd_declare_skipped(const struct wd_set *set);

/* Tells the programs which objects are ours, besides those listed before. Returns 0 or -errno. */
int wd_own_objects(const struct wd_set *set);

/* Takes what other generations listed off that list. Returns 0 or -errno. */
int wd_own_sweep(const struct wd_set *set);

#endif /* WARDEN_PROVE_H */
