/* SPDX-License-Identifier: Apache-2.0 */
/*
 * There is no moment in which nothing acts, whenever this is stopped:
 *
 *	attached	the new programs are there and do nothing; a next load drops them
 *	switched	in one store both act, each call judged once (bpf/guard/call.h)
 *	proved		the canary call was seen by the new ones: else one store back
 *	dropped		the old ones act until the kernel has detached them
 */
#include "upgrade.h"

#include "apply.h"
#include "build.h"
#include "cleanup.h"
#include "load.h"
#include "protect.h"
#include "prove.h"
#include "say.h"
#include "seal.h"
#include "settle.h"

#include <limits.h>
#include <string.h>

/* Lets the programs of `to` act. A guard that begins with it has scanned nothing before. */
static int switch_to(const struct wd_set *set, const struct wd_config *to)
{
	struct wd_config config;
	int err = wd_config_read(set, &config);

	if (err)
		return err;
	config.mode = to->mode;
	config.guard_boot_ns = to->guard_boot_ns;
	memcpy(config.build, to->build, sizeof(config.build));
	err = wd_config_write(set, &config);
	if (!err)
		err = wd_let_act(set, to->generation);
	return err ? err : wd_begin_guard(set);
}

/* The new programs act, and are seen to; else the old ones act again, as they began. */
static int take_over(const struct wd_set *set, const struct wd_config *before,
		     const struct wd_config *next)
{
	struct wd_config back = *before;
	int err = switch_to(set, next);
	int code = err ? wd_fail(EX_OSERR, "switch generation", "config", err, NULL) :
			 wd_settle(set, WD_BASELINE_FRESH);

	if (!code)
		return EX_OK;
	/* Nobody knows whether the new ones scanned: what was loaded meanwhile is as it is. */
	back.guard_boot_ns = 0;
	err = switch_to(set, &back);
	return err ? wd_fail(EX_OSERR, "switch back", "config", err, NULL) : code;
}

/* What is attached is ours before anybody could touch it by its number. */
static int put_beside(const struct wd_options *options, struct wd_build *build,
		      struct wd_set *set)
{
	char path[PATH_MAX];
	int err, code = wd_build_attach(build, set);

	if (code)
		return code;
	err = wd_own_objects(set);
	if (err)
		return wd_fail(EX_OSERR, "list own objects", "own", err, NULL);
	err = wd_set_pin_generation(options->dir, set->generation, set, path);
	return err ? wd_fail(EX_OSERR, "pin", path, err, NULL) :
		     wd_protect_begin(options->dir, set);
}

/* Whoever loads may count on it that only one build is left. */
static int drop_all_but(const char *dir, __u32 keep)
{
	__u32 programs[WD_PROGRAMS_MAX];
	int count = wd_set_list_programs(dir, keep, programs, WD_PROGRAMS_MAX);
	int err = wd_protect_end(dir, keep);

	if (!err)
		err = wd_set_drop_generations(dir, keep);
	if (err || count < 0)
		return wd_fail(EX_OSERR, "drop the build before", dir, err ? err : count,
			       "both are attached: load again");
	return wd_wait_detached(dir, programs, count);
}

int wd_upgrade(const struct wd_options *options, __u32 mode, gid_t gid, struct wd_policy *policy,
	       const struct wd_config *before, struct wd_set *set)
{
	_cleanup_build_ struct wd_build *build = NULL;
	struct wd_config next = { .generation = before->generation + 1, .mode = mode };
	char path[PATH_MAX];
	int err, code = wd_seal_allows_upgrade(options, before);

	if (!code)
		code = wd_build_load(options, mode, next.generation, set, &build);
	wd_build_hash(mode, next.build);
	if (wd_mode_guards(before->mode) && wd_mode_guards(mode))
		next.guard_boot_ns = before->guard_boot_ns;
	if (!code)
		code = put_beside(options, build, set);
	if (!code && !wd_keeps_policy(before, policy))
		code = wd_apply_policy(set, policy, false);
	if (!code)
		code = take_over(set, before, &next);
	if (code) {
		wd_protect_end(options->dir, before->generation);
		wd_set_drop_generations(options->dir, before->generation);
		return code;
	}
	/* Links of iterators, and what tests run: the old ones do as well until then. */
	err = wd_set_pin_shared(options->dir, set, gid, path);
	if (err)
		return wd_fail(EX_OSERR, "pin", path, err, NULL);
	return drop_all_but(options->dir, next.generation);
}
