/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* An act from its begin: who, what, and the decision. */
#ifndef WARDEN_ACT_H
#define WARDEN_ACT_H

#include "attr.h"
#include "decide.h"
#include "identity.h"

static __always_inline struct wd_policy_half *wd_policy(struct wd_config *cfg)
{
	return &cfg->policy[wd_bounded(cfg->half, WD_POLICY_HALVES)];
}

static __always_inline struct wd_grant *wd_grant(__u32 half, __u32 index)
{
	__u32 key = half * WD_MAX_GRANTS + index;

	return index < WD_MAX_GRANTS ? bpf_map_lookup_elem(&grants, &key) : NULL;
}

/*
 * The grants that stand for a tier and for a loader. False when one is not there, which no policy
 * that warden-load writes can say: then nothing is granted, and nothing is enforced.
 */
static __always_inline bool wd_grants(const struct wd_policy_half *policy, __u32 half, __u32 tier,
				      __u32 grant, struct wd_grant **ret_tier,
				      struct wd_grant **ret_loader)
{
	*ret_tier = wd_grant(half, policy->tier_grant[wd_bounded(tier, WD_TIER_TRUSTED + 1)]);
	*ret_loader = wd_grant(half, grant);
	return *ret_tier && *ret_loader;
}

static __always_inline struct wd_verdict wd_verdict(struct wd_config *cfg, __u32 half, __u32 tier,
						    __u32 grant, const struct wd_matter *m)
{
	struct wd_verdict missing = { .decision = WD_WOULD_DENY, .rule = WD_DIM_COMMAND };
	struct wd_grant *by_tier, *by_loader;
	__u64 in_force = wd_bounded(half, WD_POLICY_HALVES);

	if (!wd_grants(&cfg->policy[in_force], in_force, tier, grant, &by_tier, &by_loader))
		return missing;
	return wd_decide(by_tier, by_loader, m);
}

/* Joins a verdict to what was decided on the act before, in the same grants. */
static __always_inline void wd_decide_act(struct wd_open *open, struct wd_verdict verdict)
{
	struct wd_verdict all = { .decision = open->act.decision, .rule = open->act.rule };

	/*
	 * What is over, or runs in a mode that observes, can't be refused. Who is observed can, by
	 * what nobody could look into: that is no rule of a tier or a loader.
	 */
	if (verdict.decision == WD_DENY &&
	    (open->late ||
	     (open->act.flags & WD_ACT_OBSERVED && verdict.rule < WD_RULE_UNSCANNED)))
		verdict.decision = WD_WOULD_DENY;
	wd_join(&all, verdict);
	open->act.decision = all.decision;
	open->act.rule = all.rule;
}

/* The number that grants know an act by: a call of bpf(2) is none of the acts outside it. */
static __always_inline __u32 wd_granted_as(__u32 command, __u32 via)
{
	return via == WD_VIA_BPF && wd_is_own_command(command) ? 64 : command;
}

/* Judges what the attributes say. Global: see wd_tier_of. */
__noinline int wd_judge(struct wd_config *cfg, struct wd_open *open)
{
	struct wd_matter m = {};

	if (!cfg || !open)
		return 0;
	m.judged = wd_judged(open);
	m.command = wd_granted_as(open->act.command, WD_VIA_BPF);
	m.prog_type = open->act.claim.type;
	m.map_type = open->act.claim.type;
	m.attach_type = open->act.claim.attach_type;
	wd_decide_act(open, wd_verdict(cfg, open->half, open->act.tier, open->grant, &m));
	return 0;
}

static __always_inline void wd_take_who(struct wd_open *open, const struct wd_who *who)
{
	struct wd_act *act = &open->act;

	act->subject = who->subject;
	act->exe = who->exe;
	act->uid = who->uid;
	act->auid = who->auid;
	act->loader = who->loader;
	act->label = who->label;
	act->runtime = who->runtime;
	act->flags |= who->flags;
	if (who->kind == WD_LOADER_AGENT)
		act->flags |= WD_ACT_AGENT;
	act->exe_flags = who->exe_flags;
	act->tier = wd_bounded(who->tier.tier, WD_TIER_TRUSTED + 1);
	act->tier_from = who->tier.from;
	open->grant = who->grant;
}

/* Whether the task is known by an executable's content, for a record. */
static __always_inline void wd_take_digest(struct wd_act *act, const struct wd_task *store)
{
	if (!store || !store->has_digest || act->label == WD_LABEL_CALL)
		return;
	act->has_exe_digest = 1;
	__builtin_memcpy(act->exe_digest, store->digest, sizeof(act->exe_digest));
}

/* Global: see wd_tier_of. */
__noinline int wd_know_who(struct wd_config *cfg, struct wd_open *open, bool has_store)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_task *store = NULL;
	struct wd_who who = {};

	if (!cfg || !open)
		return 0;
	if (has_store)
		store = bpf_task_storage_get(&tasks, task, 0, 0);

	open->half = wd_bounded(cfg->half, WD_POLICY_HALVES);
	wd_identify(task, store, wd_policy(cfg), open->half, open->act.command, &who);
	wd_take_who(open, &who);
	if (!wd_is_data_plane(open->act.command))
		wd_take_digest(&open->act, store);
	return 0;
}

static __always_inline struct wd_open *wd_open_call(struct task_struct *task)
{
	struct wd_open *open;

	open = bpf_task_storage_get(&calls, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!open)
		wd_count_error(WD_ERR_TASK_STORAGE);
	return open;
}

/* What every act says of itself, data-plane or not. Only wd_fill_process says which process. */
static __always_inline void wd_start(struct wd_open *open, __u32 command, __u32 attr_size,
				     __u32 flags)
{
	open->active = WD_OPEN;
	open->nested = 0;
	open->scanned = 0;
	open->blameless = 0;
	open->run_signer = WD_KEYRING_NONE;
	open->run_serial = 0;
	open->pinning = 0;
	open->late = !!(flags & WD_ACT_LATE);
	open->act.head.boot_ns = bpf_ktime_get_boot_ns();
	open->act.command = command;
	open->act.attr_size = attr_size;
	open->act.flags = flags;
}

/*
 * The begin of a call as user memory tells it: who, what by their own account, and the decision,
 * which can refuse nothing; in mode signal a load's decides whether its maker lives.
 */
static __noinline void wd_begin(struct wd_config *cfg, struct wd_stats *all,
				struct wd_open *open, const struct wd_call *call, __u32 flags)
{
	__builtin_memset(&open->act, 0, sizeof(open->act));
	wd_start(open, call->command, call->attr_size, flags);
	open->late = cfg->mode != WD_MODE_SIGNAL || call->command != BPF_PROG_LOAD;
	open->attr_address = call->attr;
	if (call->compat)
		open->act.flags |= WD_ACT_COMPAT;
	wd_read_attr(open);
	wd_fill_claim(open);
	wd_know_who(cfg, open, true);
	wd_judge(cfg, open);
	wd_add(&all->acts, 1);
	wd_add(&all->open, 1);
}

#endif /* WARDEN_ACT_H */
