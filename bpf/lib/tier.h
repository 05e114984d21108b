/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The effective tier: the lowest of what the enforcer gave the subject, the reflex while it lasts,
 * and the tiers of the subjects that the task was before; of a loader with a floor no less than
 * that; and no more than the host's ceilings: the policy's, and that of a host whose root has lost
 * all trust, under which known loaders are not.
 *
 * What raises it is in a map that only warden-load opens: the subject's base by policy, a pin, and
 * break-glass. Fail closed: each is over at its time, whoever is alive then.
 */
#ifndef WARDEN_TIER_H
#define WARDEN_TIER_H

#include "maps.h"

struct wd_tier_now {
	__u32 tier;	       /* enum wd_tier */
	__u32 from;	       /* enum wd_tier_from */
	__u32 observed;	       /* 1: nothing is refused, what would be is recorded */
};

static __always_inline void wd_lower(struct wd_tier_now *now, __u32 tier, enum wd_tier_from from)
{
	if (tier >= now->tier)
		return;
	now->tier = tier;
	now->from = from;
}

/* Fail closed: without the enforcer's word on the act that caused it, it is not over. */
static __always_inline bool wd_reflex_over(const struct wd_reflex *reflex,
					   const struct wd_subject_state *subject)
{
	__u64 since;

	if (!subject || subject->folded_boot_ns < reflex->cause_boot_ns)
		return false;
	since = subject->acked_boot_ns;
	if (since < reflex->cause_boot_ns)
		since = reflex->cause_boot_ns;
	return bpf_ktime_get_boot_ns() >= since + reflex->for_ns;
}

/* The reflex that is in force, or NULL; one that is over goes. */
static __always_inline struct wd_reflex *wd_reflex_of(const struct wd_subject *subject,
						      const struct wd_subject_state *state)
{
	struct wd_state *own_state = wd_state();
	struct wd_reflex *reflex;

	if (!own_state || own_state->reflexes == 0)
		return NULL;
	reflex = bpf_map_lookup_elem(&reflexes, subject);
	if (!reflex || !wd_reflex_over(reflex, state))
		return reflex;
	if (!bpf_map_delete_elem(&reflexes, subject))
		wd_add(&own_state->reflexes, -1ULL);
	return NULL;
}

/* What raises the subject, or NULL: most hosts have none. */
static __always_inline struct wd_raise *wd_raise_of(const struct wd_subject *subject)
{
	struct wd_config *cfg = wd_config();

	if (!cfg || cfg->raises == 0)
		return NULL;
	return bpf_map_lookup_elem(&raises, subject);
}

static __always_inline bool wd_lasts(__u64 until)
{
	return until && bpf_ktime_get_boot_ns() < until;
}

/*
 * What the subject itself is given: the tier, from bit 8 what made it so, from bit 16 whether an
 * operator's pin says so. Services can only take away: what they say counts below the base, which
 * is the policy's. Global, as the next, for what wd_tier_of says below; they copy the subject, as
 * to the verifier of 6.1 the memory of a global function is no key.
 */
__noinline int wd_own_tier(const struct wd_subject *subject, __u32 default_tier)
{
	struct wd_tier_now now = { .from = WD_TIER_FROM_SUBJECT };
	struct wd_subject_state *state;
	struct wd_reflex *reflex;
	struct wd_raise *raise;
	struct wd_subject key;
	bool pinned;

	if (!subject)
		return WD_TIER_DENIED;
	key = *subject;
	raise = wd_raise_of(&key);
	state = bpf_map_lookup_elem(&subjects, &key);
	reflex = wd_reflex_of(&key, state);
	pinned = state && state->pinned;
	now.tier = raise && raise->base ? raise->base - 1 : default_tier;
	if (state)
		wd_lower(&now, state->tier, WD_TIER_FROM_SUBJECT);
	if (raise && raise->pin && !pinned && wd_lasts(raise->pin_until)) {
		now.tier = raise->pin - 1;
		now.from = WD_TIER_FROM_PIN;
	}
	if (reflex)
		wd_lower(&now, reflex->tier, WD_TIER_FROM_REFLEX);
	return now.tier | now.from << 8 | pinned << 16;
}

/* 1 for a subject that is below what it would be if nobody had said anything about it. */
__noinline int wd_is_lowered(const struct wd_subject *subject, __u32 default_tier)
{
	struct wd_subject_state *state;
	struct wd_subject key;

	if (!subject)
		return 1;
	key = *subject;
	state = bpf_map_lookup_elem(&subjects, &key);
	return (state && state->tier < default_tier) || wd_reflex_of(&key, state);
}

/*
 * A tool does what whoever runs it says, so it is no reason to trust them. `kind`: enum
 * wd_loader_kind, 0 of an unknown one.
 */
static __always_inline void wd_lower_by_ceilings(const struct wd_policy_half *policy, __u32 kind,
						 struct wd_tier_now *now)
{
	struct wd_host *own_host = wd_host();

	if (own_host && own_host->ceiling && (!kind || kind == WD_LOADER_TOOL))
		wd_lower(now, own_host->ceiling - 1, WD_TIER_FROM_HOST);
	wd_lower(now, policy->ceiling, WD_TIER_FROM_CEILING);
}

/* Most tasks carry nothing: kept out of the way of those. */
static __noinline void wd_lower_by_carried(const struct wd_task *store, __u32 default_tier,
					   struct wd_tier_now *now)
{
	for (__u32 i = 0; i < WD_CARRIED; i++) {
		__u32 tier;

		if (i >= store->carried_count)
			return;
		tier = wd_own_tier(&store->carried[i], default_tier) & 0xff;
		wd_lower(now, tier, WD_TIER_FROM_CARRIED);
	}
}

/*
 * The tier without break-glass. A floor holds against evidence, whoever it was found against: an
 * agent that a lowered root starts again carries root, and would take the node down all the same.
 * Only a pin of the loader itself goes below it.
 */
static __always_inline void wd_usual_tier(const struct wd_subject *subject,
					  const struct wd_task *store, __u32 floor,
					  const struct wd_policy_half *policy, __u32 kind,
					  struct wd_tier_now *now)
{
	__u32 own = wd_own_tier(subject, policy->default_tier);

	now->tier = own & 0xff;
	now->from = own >> 8 & 0xff;
	if (store && store->carried_count)
		wd_lower_by_carried(store, policy->default_tier, now);
	if (!(own >> 16) && now->tier < floor) {
		now->tier = floor;
		now->from = WD_TIER_FROM_FLOOR;
	}
	wd_lower_by_ceilings(policy, kind, now);
}

/* Break-glass stands in for tier, reflex and what is carried, and for ceilings if it says so. */
static __always_inline bool wd_breaks_glass(const struct wd_raise *raise, __u32 command,
					    const struct wd_policy_half *policy, __u32 kind,
					    struct wd_tier_now *now)
{
	if (!raise || !wd_lasts(raise->glass_until) || command >= 64 ||
	    !(raise->glass_commands >> (command & 63) & 1))
		return false;
	now->tier = WD_TIER_TRUSTED;
	now->from = WD_TIER_FROM_GLASS;
	if (!raise->over_ceiling)
		wd_lower_by_ceilings(policy, kind, now);
	return true;
}

/*
 * The tier, from bit 8 what made it so, from bit 16 whether the subject is only observed. Global,
 * so that the verifier walks it once and knows nothing of its answer: each way through it would
 * double what follows; such a function asks whether its pointers are NULL, which no caller's are.
 * `standing`: the loader's floor, from bit 8 its kind. Fail closed: without a
 * subject or a policy nobody is trusted with anything.
 */
__noinline int wd_tier_of(const struct wd_subject *subject, const struct wd_task *store,
			  __u32 standing, __u32 command)
{
	__u32 floor = standing & 0xff, kind = standing >> 8;
	struct wd_config *cfg = wd_config();
	struct wd_tier_now now = {};
	struct wd_policy_half *policy;
	struct wd_raise *raise;
	struct wd_subject key;

	if (!subject || !cfg)
		return WD_TIER_DENIED;
	key = *subject;
	policy = &cfg->policy[wd_bounded(cfg->half, WD_POLICY_HALVES)];
	raise = wd_raise_of(&key);
	now.observed = raise && wd_lasts(raise->observe_until);
	if (!wd_breaks_glass(raise, command, policy, kind, &now))
		wd_usual_tier(&key, store, floor, policy, kind, &now);
	return now.tier | now.from << 8 | now.observed << 16;
}

static __always_inline void wd_effective_tier(const struct wd_subject *subject,
					      const struct wd_task *store, __u32 floor,
					      __u32 command, __u32 kind,
					      struct wd_tier_now *now)
{
	__u32 all = wd_tier_of(subject, store, floor | kind << 8, command);

	now->tier = all & 0xff;
	now->from = all >> 8 & 0xff;
	now->observed = all >> 16 & 1;
}

/*
 * Remembers a lowered subject that the task is about to stop being, or became another than. A slot
 * whose subject has recovered is used again. With WD_CARRIED lowered ones no more are remembered:
 * whoever was four lowered subjects is low enough.
 */
__noinline int wd_carry(struct wd_task *store, const struct wd_subject *subject,
			__u32 default_tier)
{
	if (!store || !subject)
		return 0;
	for (__u32 i = 0; i < WD_CARRIED; i++) {
		struct wd_subject *slot = &store->carried[i];

		if (i < store->carried_count) {
			if (slot->kind == subject->kind && slot->id == subject->id)
				return 0;
			if (wd_is_lowered(slot, default_tier))
				continue;
		}
		*slot = *subject;
		if (i >= store->carried_count)
			store->carried_count = i + 1;
		return 0;
	}
	return 0;
}

/*
 * True for a cause that follows another so closely that the reflex ends no more than a 64th of its
 * time too early without it: each cause is an event to be stored, and folded, before it can end.
 */
static __always_inline bool wd_is_reflex_fresh(const struct wd_reflex *old, __u64 cause,
					       const struct wd_reflex_rule *want)
{
	return old->tier <= want->tier && old->for_ns >= want->for_ns &&
	       cause < old->cause_boot_ns + (old->for_ns >> 6);
}

/*
 * True when the act that is refused lowers its subject, or does so for longer. Fail open, and
 * counted: the call stays refused, only what follows is not lowered.
 */
static __always_inline bool wd_set_reflex(const struct wd_subject *subject, __u32 rule,
					  __u64 cause, const struct wd_reflex_rule *want)
{
	struct wd_reflex *old = bpf_map_lookup_elem(&reflexes, subject);
	struct wd_reflex fresh = {
		.tier = want->tier,
		.rule = rule,
		.cause_boot_ns = cause,
		.for_ns = want->for_ns,
	};
	struct wd_state *own_state = wd_state();

	if (old && wd_is_reflex_fresh(old, cause, want))
		return false;
	if (old) {
		if (old->tier < fresh.tier) {
			fresh.tier = old->tier;
			fresh.rule = old->rule;
		}
		if (old->for_ns > fresh.for_ns)
			fresh.for_ns = old->for_ns;
		if (old->cause_boot_ns > fresh.cause_boot_ns)
			fresh.cause_boot_ns = old->cause_boot_ns;
	}
	/* Counted before it is there, so that nobody takes the map for empty. */
	if (own_state && !old)
		wd_add(&own_state->reflexes, 1);
	if (!bpf_map_update_elem(&reflexes, subject, &fresh, BPF_ANY))
		return true;
	if (own_state && !old)
		wd_add(&own_state->reflexes, -1ULL);
	wd_count_error(WD_ERR_REFLEX);
	return true;
}

#endif /* WARDEN_TIER_H */
