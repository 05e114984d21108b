/* SPDX-License-Identifier: Apache-2.0 */
/* The proof is an attempt: `bpf` missing from lsm= lets a program attach and never calls it. */
#include "mode.h"

#include "attempt.h"
#include "hooks.h"
#include "say.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The first thing that speaks against a guard in this mode; `error` is 0 when nothing does. */
static struct wd_attempt find_obstacle(__u32 mode)
{
	struct wd_attempt attempt = {};

	wd_try_hook(&attempt, wd_hook_section(WD_HOOK_GUARD_BPF, mode));
	for (int i = 0; !attempt.error && i < WD_HOOKS; i++) {
		const char *section = wd_hook_section(i, mode);

		if (!wd_hook_is_wanted(i, mode) || wd_hook_exists(section))
			continue;
		attempt.name = section;
		attempt.error = ENOENT;
		attempt.detail = "the kernel's BTF does not have it";
	}
	return attempt;
}

static int check(__u32 mode)
{
	struct wd_attempt obstacle = find_obstacle(mode);
	char what[32], advice[256];

	if (!obstacle.error)
		return EX_OK;
	snprintf(what, sizeof(what), "mode %s", wd_mode_name(mode));
	snprintf(advice, sizeof(advice), "%s; warden-load probe says more", obstacle.detail);
	return wd_fail(EX_CONFIG, what, obstacle.name, obstacle.error, advice);
}

/* The best of those that nobody has to ask for. */
static __u32 choose_best(void)
{
	struct wd_attempt lsm = find_obstacle(WD_MODE_LSM), fmod_ret;

	if (!lsm.error)
		return WD_MODE_LSM;
	fmod_ret = find_obstacle(WD_MODE_FMOD_RET);
	if (!fmod_ret.error) {
		wd_note("mode fmod_ret, which can be got by under preemption: %s: %s; %s",
			lsm.name, strerror(lsm.error), lsm.detail);
		return WD_MODE_FMOD_RET;
	}
	wd_note("mode audit, nothing is refused: %s: %s; %s", lsm.name, strerror(lsm.error),
		lsm.detail);
	wd_note("nor mode fmod_ret: %s: %s; %s", fmod_ret.name, strerror(fmod_ret.error),
		fmod_ret.detail);
	return WD_MODE_AUDIT;
}

int wd_mode_choose(__u32 asked, __u32 *ret_mode)
{
	int code = wd_mode_guards(asked) ? check(asked) : EX_OK;

	if (!code)
		*ret_mode = asked ? asked : choose_best();
	return code;
}
