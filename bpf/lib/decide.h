/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The decision: a pure function over an act and two grants, without helpers, so that every mode and
 * the `decide` program under a test run use the very same one.
 *
 * The subject's tier is judged before the loader's grant, each by dimension in ascending order. The
 * first dimension that refuses and is enforced decides; else the first that refuses is what would.
 */
#ifndef WARDEN_DECIDE_H
#define WARDEN_DECIDE_H

#include "control.h"

/* What is judged; `helpers` and `kfuncs` may be NULL when their dimension is not. */
struct wd_matter {
	__u32 judged;	       /* bit n: dimension n */
	__u32 command;
	__u32 prog_type;
	__u32 map_type;
	__u32 attach_type;
	__u32 foreign;	       /* 0 or 1 */
	__u32 beyond;	       /* 0 or 1 */
	__u32 signer;	       /* enum wd_keyring */
	__s32 serial;	       /* of the keyring */
	const __u64 *helpers;  /* WD_HELPER_WORDS */
	const __u64 *kfuncs;   /* WD_KFUNC_WORDS */
};

struct wd_verdict {
	__u32 decision;	       /* enum wd_decision */
	__u32 rule;	       /* enum wd_rule */
};

#define WD_JUDGE(dimension) (1U << (dimension))

/*
 * The answers are bits, and are computed and not branched for: the verifier would walk every
 * combination of seven answers in two grants.
 */
static __always_inline __u64 wd_unbranched(__u64 value)
{
	asm volatile("" : "+r"(value));
	return value;
}

/*
 * 1 when bit `number` is not in the mask, else 0. Fail closed: a number that the mask has no bit
 * for is not granted, or a new command would be.
 */
static __always_inline __u64 wd_misses(__u64 mask, __u32 number)
{
	__u64 below_64 = wd_unbranched((__u64)number - 64) >> 63;

	return wd_unbranched((mask >> (number & 63)) & below_64) ^ 1;
}

/* 1 when `used` has a bit that is not in `granted`, else 0. */
static __always_inline __u64 wd_exceeds(const __u64 *granted, const __u64 *used, int words)
{
	__u64 refused = 0;

#pragma unroll
	for (int i = 0; i < words; i++)
		refused |= used[i] & ~granted[i];
	return (refused | wd_unbranched(-refused)) >> 63;
}

/*
 * 1 when the grant does not take who signed. A keyring that anybody can make counts by number, if
 * the grant has one: 0, which is no keyring's, is of a grant that does not ask.
 */
static __always_inline __u64 wd_missigned(const struct wd_grant *grant, const struct wd_matter *m)
{
	__u64 other = (__u32)(grant->keyring_serial ^ m->serial);
	__u64 is_user = wd_unbranched((__u64)(m->signer ^ WD_KEYRING_USER) - 1) >> 63;
	__u64 asks = wd_unbranched(-(__u64)(__u32)grant->keyring_serial) >> 63;
	__u64 differs = wd_unbranched(-other) >> 63;

	return wd_misses(grant->keyrings, m->signer) | (is_user & asks & differs);
}

/* The judged dimensions that a grant refuses, as bits. */
static __always_inline __u64 wd_refused(const struct wd_grant *grant, const struct wd_matter *m)
{
	__u64 refused = wd_misses(grant->commands, m->command) << WD_DIM_COMMAND;

	refused |= wd_misses(grant->prog_types, m->prog_type) << WD_DIM_PROG_TYPE;
	refused |= wd_misses(grant->map_types, m->map_type) << WD_DIM_MAP_TYPE;
	refused |= (wd_misses(grant->attach_types[0], m->attach_type) &
		    wd_misses(grant->attach_types[1], m->attach_type - 64))
		   << WD_DIM_ATTACH_TYPE;
	if (m->judged & WD_JUDGE(WD_DIM_HELPER))
		refused |= (m->beyond | wd_exceeds(grant->helpers, m->helpers, WD_HELPER_WORDS))
			   << WD_DIM_HELPER;
	if (m->judged & WD_JUDGE(WD_DIM_KFUNC))
		refused |= wd_exceeds(grant->kfuncs, m->kfuncs, WD_KFUNC_WORDS) << WD_DIM_KFUNC;
	refused |= (m->foreign & (grant->foreign ^ 1)) << WD_DIM_OBJECT;
	refused |= wd_missigned(grant, m) << WD_DIM_SIGNATURE;
	return wd_unbranched(refused) & m->judged;
}

/* The place of the lowest bit in `bits`, which has one. */
static __always_inline __u32 wd_lowest(__u64 bits)
{
	__u32 place = 0;

#pragma unroll
	for (__u32 step = 16; step; step >>= 1) {
		if (bits & ((1ULL << step) - 1))
			continue;
		bits >>= step;
		place += step;
	}
	return place;
}

/* Bit n is the rule n: the tier's dimensions first, then the loader's. */
static __always_inline struct wd_verdict wd_decide(const struct wd_grant *tier,
						   const struct wd_grant *loader,
						   const struct wd_matter *m)
{
	struct wd_verdict verdict = { .decision = WD_ALLOW, .rule = WD_RULE_NONE };
	__u64 refused = wd_refused(tier, m) | wd_refused(loader, m) << WD_RULE_LOADER;
	__u64 denied;

	if (!refused)
		return verdict;
	denied = tier->enforce & (WD_JUDGE(WD_RULE_LOADER) - 1);
	denied |= (__u64)loader->enforce << WD_RULE_LOADER;
	denied &= refused;
	verdict.decision = denied ? WD_DENY : WD_WOULD_DENY;
	verdict.rule = wd_lowest(denied ? denied : refused);
	return verdict;
}

/*
 * A second verdict on the same act: a denial stands, and of two that would deny the one that comes
 * first in the order of judging, as if all had been judged at once.
 */
static __always_inline void wd_join(struct wd_verdict *first, struct wd_verdict second)
{
	if (first->decision == WD_DENY || second.decision == WD_ALLOW)
		return;
	if (second.decision == WD_DENY || first->decision == WD_ALLOW ||
	    second.rule < first->rule)
		*first = second;
}

#endif /* WARDEN_DECIDE_H */
