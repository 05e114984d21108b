/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map from names to classes is one for both halves of the policy, so a class is a set of kfuncs
 * that no grant of either tells apart: those with the same two rows of answers. What the half in
 * force answers is read back from the kernel; its patterns are not needed.
 *
 * The order keeps its answers as they are throughout, and a stop anywhere leaves them right:
 *
 *	1. classes that are new take numbers that no name has; the masks in force get their bits
 *	2. name by name the map moves to the new classes: the old one's answer is the new one's
 *	3. the caller writes the other half with its masks, and flips
 *
 * A number is kept only by a class that all who had it are in. A number given up stands, in the
 * masks to come, for what all who had it are granted: a load that was scanned before the flip and
 * is judged after it gets no more than it would have got either way.
 */
#include "classes.h"

#include "cleanup.h"
#include "kfuncs.h"
#include "say.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#define CLASSES (WD_KFUNC_WORDS * 64)
#define MIXED CLASSES

struct plan {
	struct wd_kfuncs kfuncs;
	struct wd_grant in_force[WD_MAX_GRANTS];
	__u64 unnamed_in_force; /* row of the kfuncs that are not in the map: class 0 */
	__u64 unnamed_next;
	__u32 groups;
	__u32 class_of[CLASSES + 1]; /* of a group; 0: none yet */
	/* What becomes of the numbers that are in the map. */
	bool used[CLASSES];
	__u32 went_to[CLASSES]; /* the group of all who had it, or MIXED */
	__u64 shared[CLASSES];	/* the row that all who had it share, in the policy to come */
	bool is_new[CLASSES];
	bool has_new;
};

static bool has_class(const struct wd_grant *grant, __u32 class)
{
	return grant->kfuncs[class / 64] >> class % 64 & 1;
}

static void put_class(struct wd_grant *grant, __u32 class, bool granted)
{
	__u64 bit = 1ULL << class % 64, *word = &grant->kfuncs[class / 64];

	*word = granted ? *word | bit : *word & ~bit;
}

static __u64 row_in_force(const struct plan *plan, __u32 class)
{
	__u64 row = 0;

	for (__u32 i = 0; i < WD_MAX_GRANTS; i++)
		if (has_class(&plan->in_force[i], class))
			row |= 1ULL << i;
	return row;
}

static int read_in_force(const struct wd_set *set, __u32 half, struct plan *plan)
{
	for (__u32 i = 0; i < WD_MAX_GRANTS; i++) {
		__u32 key = half * WD_MAX_GRANTS + i;

		if (bpf_map_lookup_elem(set->map[WD_MAP_GRANTS], &key, &plan->in_force[i]))
			return -errno;
	}
	return 0;
}

static int read_map(const struct wd_set *set, const struct wd_policy *policy, struct plan *plan)
{
	int map = set->map[WD_MAP_KFUNCS];
	struct wd_kfunc_key key, *last = NULL;

	while (!bpf_map_get_next_key(map, last, &key)) {
		char name[WD_KFUNC_NAME + 1] = "";
		__u32 class;

		if (bpf_map_lookup_elem(map, &key, &class))
			return -errno;
		if (class == 0 || class >= CLASSES)
			return -EUCLEAN;
		memcpy(name, key.name, sizeof(key.name));
		if (wd_kfuncs_add(&plan->kfuncs, policy, name, class))
			return -ENOMEM;
		last = &key;
	}
	return errno == ENOENT ? 0 : -errno;
}

static void fill_rows(const struct wd_policy *policy, struct plan *plan)
{
	plan->unnamed_in_force = row_in_force(plan, 0);
	for (__u32 i = 0; i < WD_MAX_GRANTS; i++)
		if (wd_patterns_grant_unnamed(&policy->kfuncs[i]))
			plan->unnamed_next |= 1ULL << i;
	for (size_t i = 0; i < plan->kfuncs.count; i++)
		plan->kfuncs.list[i].in_force = row_in_force(plan, plan->kfuncs.list[i].before);
}

/* The group of an earlier kfunc with the same rows, else a new one. */
static __u32 group_of(struct plan *plan, size_t index)
{
	const struct wd_found_kfunc *list = plan->kfuncs.list, *kfunc = &list[index];

	if (kfunc->in_force == plan->unnamed_in_force && kfunc->next == plan->unnamed_next)
		return 0;
	for (size_t i = 0; i < index; i++)
		if (list[i].group && list[i].in_force == kfunc->in_force &&
		    list[i].next == kfunc->next)
			return list[i].group;
	return ++plan->groups;
}

static int fail_limit(const char *where, const char *advice)
{
	return wd_fail(EX_DATAERR, "policy", where, 0, advice);
}

static int make_groups(struct plan *plan)
{
	size_t names = 0;

	for (size_t i = 0; i < plan->kfuncs.count; i++) {
		struct wd_found_kfunc *kfunc = &plan->kfuncs.list[i];
		__u32 before = kfunc->before;

		kfunc->group = group_of(plan, i);
		names += kfunc->group != 0;
		if (plan->groups >= CLASSES)
			return fail_limit("kfuncs", "more than 255 classes, together with the "
						    "policy in force: tell fewer kfuncs apart");
		if (before == 0)
			continue;
		if (!plan->used[before]) {
			plan->used[before] = true;
			plan->went_to[before] = kfunc->group;
			plan->shared[before] = kfunc->next;
			continue;
		}
		plan->shared[before] &= kfunc->next;
		if (plan->went_to[before] != kfunc->group)
			plan->went_to[before] = MIXED;
	}
	if (names > WD_KFUNCS_MAX)
		return fail_limit("kfuncs", "more than 4096 names, together with the policy in "
					    "force: use narrower patterns");
	return EX_OK;
}

static int number_groups(struct plan *plan)
{
	__u32 class = 1;

	for (__u32 i = 1; i < CLASSES; i++) {
		__u32 group = plan->went_to[i];

		if (plan->used[i] && group != 0 && group != MIXED && !plan->class_of[group])
			plan->class_of[group] = i;
	}
	for (__u32 group = 1; group <= plan->groups; group++) {
		if (plan->class_of[group])
			continue;
		while (class < CLASSES && plan->used[class])
			class++;
		if (class == CLASSES)
			return fail_limit("kfuncs", "no class is left of 255 beside those of the "
						    "policy in force: unload first, or apply a "
						    "simpler one in between");
		plan->is_new[class] = plan->has_new = true;
		plan->class_of[group] = class++;
	}
	for (size_t i = 0; i < plan->kfuncs.count; i++)
		plan->kfuncs.list[i].class = plan->class_of[plan->kfuncs.list[i].group];
	return EX_OK;
}

/* No name has a new number yet, so its bit means nothing until the map is written. */
static int widen_in_force(const struct wd_set *set, __u32 half, struct plan *plan)
{
	for (size_t k = 0; k < plan->kfuncs.count; k++) {
		const struct wd_found_kfunc *kfunc = &plan->kfuncs.list[k];

		for (__u32 i = 0; plan->is_new[kfunc->class] && i < WD_MAX_GRANTS; i++)
			put_class(&plan->in_force[i], kfunc->class, kfunc->in_force >> i & 1);
	}
	for (__u32 i = 0; plan->has_new && i < WD_MAX_GRANTS; i++) {
		__u32 key = half * WD_MAX_GRANTS + i;

		if (bpf_map_update_elem(set->map[WD_MAP_GRANTS], &key, &plan->in_force[i],
					BPF_ANY))
			return -errno;
	}
	return 0;
}

/* What leaves goes first: the map may be full. */
static int write_map(const struct wd_set *set, const struct plan *plan)
{
	int map = set->map[WD_MAP_KFUNCS];

	for (size_t i = 0; i < plan->kfuncs.count; i++) {
		const struct wd_found_kfunc *kfunc = &plan->kfuncs.list[i];

		if (kfunc->before && !kfunc->class && bpf_map_delete_elem(map, &kfunc->key))
			return -errno;
	}
	for (size_t i = 0; i < plan->kfuncs.count; i++) {
		const struct wd_found_kfunc *kfunc = &plan->kfuncs.list[i];

		if (kfunc->class != kfunc->before && kfunc->class &&
		    bpf_map_update_elem(map, &kfunc->key, &kfunc->class, BPF_ANY))
			return -errno;
	}
	return 0;
}

static void fill_masks(const struct plan *plan, struct wd_policy *policy)
{
	for (__u32 i = 0; i < WD_MAX_GRANTS; i++) {
		struct wd_grant *grant = &policy->grants[i];

		memset(grant->kfuncs, 0, sizeof(grant->kfuncs));
		put_class(grant, 0, plan->unnamed_next >> i & 1);
		for (__u32 class = 1; class < CLASSES; class++)
			if (plan->used[class])
				put_class(grant, class, plan->shared[class] >> i & 1);
		for (size_t k = 0; k < plan->kfuncs.count; k++)
			if (plan->kfuncs.list[k].class)
				put_class(grant, plan->kfuncs.list[k].class,
					  plan->kfuncs.list[k].next >> i & 1);
	}
}

static int write_plan(const struct wd_set *set, struct wd_policy *policy, __u32 half,
		      struct plan *plan)
{
	int code, err = read_in_force(set, half, plan);

	if (!err)
		err = read_map(set, policy, plan);
	if (err)
		return wd_fail(EX_OSERR, "read classes", "kfuncs", err, NULL);
	err = wd_kfuncs_find(&plan->kfuncs, policy);
	if (err)
		return wd_fail(EX_OSERR, "find kfuncs", "/sys/kernel/btf", err,
			       "a policy that names kfuncs needs a kernel with BTF");
	wd_kfuncs_merge(&plan->kfuncs);
	fill_rows(policy, plan);
	code = make_groups(plan);
	if (!code)
		code = number_groups(plan);
	if (code)
		return code;
	err = widen_in_force(set, half, plan);
	if (!err)
		err = write_map(set, plan);
	if (err)
		return wd_fail(EX_OSERR, "write classes", "kfuncs", err, NULL);
	fill_masks(plan, policy);
	return EX_OK;
}

int wd_classes_write(const struct wd_set *set, struct wd_policy *policy, __u32 half)
{
	struct plan plan = {};
	int code = write_plan(set, policy, half, &plan);

	wd_kfuncs_free(&plan.kfuncs);
	return code;
}
