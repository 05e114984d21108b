/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The decision: a pure function over a call and two grants, without helpers, so that every mode and
 * the `decide` program under a test run use the very same one.
 *
 * The subject's tier is judged before the loader's grant: command, program type, map type.
 */
#ifndef WARDEN_DECIDE_H
#define WARDEN_DECIDE_H

#include "control.h"

/* Fail closed: a number that the mask has no bit for is not granted, or a new command would be. */
static __always_inline int wd_granted(__u64 mask, __u32 number)
{
	return number < 64 && (mask >> number & 1);
}

static __always_inline __u32 wd_decide(const struct wd_decide_case *c)
{
	if (!wd_granted(c->tier.commands, c->command))
		return WD_RULE_TIER_COMMAND;
	if (c->judged & WD_JUDGED_PROG_TYPE && !wd_granted(c->tier.prog_types, c->prog_type))
		return WD_RULE_TIER_PROG_TYPE;
	if (c->judged & WD_JUDGED_MAP_TYPE && !wd_granted(c->tier.map_types, c->map_type))
		return WD_RULE_TIER_MAP_TYPE;
	if (!wd_granted(c->loader.commands, c->command))
		return WD_RULE_LOADER_COMMAND;
	if (c->judged & WD_JUDGED_PROG_TYPE && !wd_granted(c->loader.prog_types, c->prog_type))
		return WD_RULE_LOADER_PROG_TYPE;
	if (c->judged & WD_JUDGED_MAP_TYPE && !wd_granted(c->loader.map_types, c->map_type))
		return WD_RULE_LOADER_MAP_TYPE;
	return WD_RULE_NONE;
}

#endif /* WARDEN_DECIDE_H */
