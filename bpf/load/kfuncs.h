/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kfuncs that a policy names, found in this kernel's BTF: the only place that has them all. The
 * BTF of a kernel whose build tagged them ("bpf_kfunc") says which functions are kfuncs; in any
 * other every function counts, which lists names too many and misses none.
 */
#ifndef WARDEN_KFUNCS_H
#define WARDEN_KFUNCS_H

#include "policy.h"

#include <stddef.h>

/* As the kfuncs map is sized. */
#define WD_KFUNCS_MAX 4096

/* A kfunc, and the answer of each grant to it: bit n of a row is grant n. */
struct wd_found_kfunc {
	struct wd_kfunc_key key;
	__u64 in_force;	       /* row of the policy in force */
	__u64 next;	       /* row of the policy that is being written */
	__u32 before;	       /* class in the kfuncs map, 0: not in it */
	__u32 group;	       /* of those with the same two rows, from 1; 0: not in the map */
	__u32 class;	       /* that it gets, 0: none */
};

struct wd_kfuncs {
	struct wd_found_kfunc *list;
	size_t count;
	size_t room;
};

void wd_kfuncs_free(struct wd_kfuncs *kfuncs);

/* Adds one by name, cut to what fits a key. Returns 0 or -ENOMEM. */
int wd_kfuncs_add(struct wd_kfuncs *kfuncs, const struct wd_policy *policy, const char *name,
		  __u32 before);

/* Adds what the kernel and its modules have and `policy` names. Returns 0 or -errno. */
int wd_kfuncs_find(struct wd_kfuncs *kfuncs, const struct wd_policy *policy);

/* Sorts, and makes one of several of the same name. */
void wd_kfuncs_merge(struct wd_kfuncs *kfuncs);

#endif /* WARDEN_KFUNCS_H */
