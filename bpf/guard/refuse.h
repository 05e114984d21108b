/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a hook does once it has a verdict. A refusal is recorded and counted by the hook that makes
 * it; the call's end then finds that nothing is left to do. A record that can't be sent changes no
 * verdict.
 */
#ifndef WARDEN_REFUSE_H
#define WARDEN_REFUSE_H

#include "common.h"
#include <asm-generic/errno-base.h>

/*
 * 0 in mode fmod_ret, set before load: the programs are tracing programs on the functions that ask
 * all LSMs, and have none of the helpers that only BPF LSM has. The kernel skips one that another
 * task is in the middle of on the same CPU.
 */
const volatile __u32 is_lsm = 1;

enum wd_refused {
	WD_GO_ON = 0,
	WD_REFUSE = 1,
	WD_HIDE = 2,	       /* as if it were not there: tools go on to the next */
};

/*
 * The hook's return value. Kept from the compiler, which would compute it without a branch in a way
 * whose range the verifier of 6.12 can't tell; never positive, which would skip other LSMs.
 */
static __always_inline int refusal(enum wd_refused refused)
{
	int result = 0;

	if (refused == WD_HIDE) {
		result = -ENOENT;
		asm volatile("" : "+r"(result));
	} else if (refused) {
		result = -EPERM;
		asm volatile("" : "+r"(result));
	}
	return result;
}

/* True for a call by our own programs and services: allowed, and no act. */
static __always_inline bool is_ours(const struct wd_task *store)
{
	return store && store->role != WD_ROLE_NONE;
}

/* False for a guard that is about to be detached: it does what the newest has not done. */
static __always_inline bool is_newest(const struct wd_config *cfg)
{
	return cfg->generation == generation;
}

static __always_inline void set_off_reflex(struct wd_config *cfg, struct wd_open *open)
{
	bool tamper = open->act.rule == WD_RULE_PROTECTED;
	__u32 dimension = tamper ? 0 : open->act.rule & (WD_RULE_LOADER - 1);
	struct wd_reflex_rule *want;
	__u64 half = wd_bounded(open->half, WD_POLICY_HALVES);

	/* Set off once, and by what was found in the act: a lack of memory is nobody's fault. */
	if ((open->act.rule >= WD_RULE_UNSCANNED && !tamper) || open->blameless ||
	    (open->act.flags & WD_ACT_REFLEX) || open->act.tier_from == WD_TIER_FROM_GLASS)
		return;
	/* Who carries a fall may not take down whom they became. */
	if (open->act.tier_from == WD_TIER_FROM_CARRIED && !tamper)
		return;
	want = &cfg->policy[half].reflex[wd_bounded(dimension, WD_DIMS)];
	if (!want->set)
		return;
	if (wd_set_reflex(&open->act.subject, open->act.rule, open->act.head.boot_ns, want))
		open->act.flags |= WD_ACT_REFLEX;
}

/* Counts or records the open call as refused, and closes it but for the end that is to come. */
static __noinline int refuse(struct wd_config *cfg, struct wd_stats *all, struct wd_open *open)
{
	struct wd_act *act = &open->act;
	bool hidden = act->rule == WD_RULE_HIDDEN;
	struct file *file;

	act->result = hidden ? -ENOENT : -EPERM;
	open->active = WD_SENT;
	set_off_reflex(cfg, open);
	wd_add(&all->open, -1ULL);
	if (wd_is_data_plane(act->command)) {
		file = wd_object_file(open);
		if (wd_end_counted(all, open, file))
			return 0;
		if (file)
			wd_fill_object(file, &act->object);
	}
	act->duration_ns = bpf_ktime_get_boot_ns() - act->head.boot_ns;
	wd_record(cfg, open, hidden ? WD_RING_OBJECT : WD_RING_DENY);
	return 0;
}

/* Refuses if anything on the open call was decided so. */
static __always_inline bool refuse_decided(struct wd_config *cfg, struct wd_stats *all,
					   struct wd_open *open)
{
	if (open->act.decision != WD_DENY)
		return false;
	refuse(cfg, all, open);
	return true;
}

/* The same, as the hook is to answer it. */
static __always_inline enum wd_refused refused_as(struct wd_config *cfg, struct wd_stats *all,
						  struct wd_open *open)
{
	if (!refuse_decided(cfg, all, open))
		return WD_GO_ON;
	return open->act.rule == WD_RULE_HIDDEN ? WD_HIDE : WD_REFUSE;
}

/* The call that the task is in: the inner one of two. NULL for none, or none that is judged. */
static __always_inline struct wd_open *open_call_of(struct task_struct *task)
{
	struct wd_open *open = bpf_task_storage_get(&calls, task, 0, 0);

	if (open && open->nested)
		open = bpf_task_storage_get(&nested, task, 0, 0);
	return open && open->active == WD_OPEN ? open : NULL;
}

/* Dimensions that one of the two grants enforces, as bits: nothing else may refuse anything. */
static __always_inline __u32 enforced(struct wd_config *cfg, __u32 half, __u32 tier, __u32 grant)
{
	struct wd_grant *by_tier, *by_loader;
	__u64 in_force = wd_bounded(half, WD_POLICY_HALVES);

	if (!wd_grants(&cfg->policy[in_force], in_force, tier, grant, &by_tier, &by_loader))
		return 0;
	return by_tier->enforce | by_loader->enforce;
}

/* Fail closed, where the policy enforces what can't be told. */
static __always_inline void decide_blind(struct wd_config *cfg, struct wd_open *open,
					 __u32 dimensions, enum wd_rule rule)
{
	struct wd_verdict verdict = { .decision = WD_WOULD_DENY, .rule = rule };

	if (enforced(cfg, open->half, open->act.tier, open->grant) & dimensions)
		verdict.decision = WD_DENY;
	wd_decide_act(open, verdict);
}

#endif /* WARDEN_REFUSE_H */
