/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the guard is made of: our programs, maps and links by their numbers (the own map), and the
 * functions that our programs are on (the hooked map). Whoever is none of ours and would reach any
 * of it, or the mounts that its pins are in (mounts.h), is refused where the policy enforces
 * anything at all, and recorded where it only observes.
 */
#ifndef WARDEN_PROTECT_H
#define WARDEN_PROTECT_H

#include "refuse.h"

static __always_inline __u32 protection(const struct wd_config *cfg, __u32 half)
{
	return cfg->policy[wd_bounded(half, WD_POLICY_HALVES)].protect;
}

/* True when what is ours is refused to others by the policy in force. */
static __always_inline bool protects(const struct wd_config *cfg)
{
	return protection(cfg, cfg->half) == WD_PROTECT_ENFORCE;
}

static __always_inline bool is_protected(const struct wd_config *cfg, __u32 kind, __u32 id)
{
	return protects(cfg) && wd_is_ours(kind, id);
}

/* The act in `open` would reach us. Nobody's tier or grant allows that, nor does break-glass. */
static __noinline int judge_tampering(struct wd_config *cfg, struct wd_open *open)
{
	struct wd_verdict verdict = { .decision = WD_WOULD_DENY, .rule = WD_RULE_PROTECTED };

	switch (protection(cfg, open->half)) {
	case WD_PROTECT_OFF:
		return 0;
	case WD_PROTECT_ENFORCE:
		verdict.decision = WD_DENY;
	}
	wd_decide_act(open, verdict);
	return 0;
}

/*
 * True for a program that is to be on a function that ours is on: it could answer before ours, and
 * there is room for some forty on each, which an upgrade of ours needs. `may_share`: an LSM program
 * of a known loader, whose grant has that type (systemd's for RestrictFileSystems= is on
 * file_open): it may be where whatever it answers is no permission.
 */
static __always_inline bool is_on_our_hook(struct bpf_prog_aux *aux, __u32 attach_btf_id,
					   bool may_share)
{
	__u32 *kind;

	if (!attach_btf_id || (__u64)BPF_CORE_READ(aux, attach_btf) != kernel_btf)
		return false;
	kind = bpf_map_lookup_elem(&hooked, &attach_btf_id);
	return kind && !(may_share && *kind == WD_HOOKED_SHARED);
}

#endif /* WARDEN_PROTECT_H */
