/* SPDX-License-Identifier: Apache-2.0 */
/* The proof is an attempt: `bpf` missing from lsm= lets a program attach and never calls it. */
#include "mode.h"

#include "attempt.h"
#include "hooks.h"
#include "say.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The first thing that speaks against the guard; `error` is 0 when nothing does. */
static struct wd_attempt find_obstacle(void)
{
	struct wd_attempt attempt = {};

	wd_try_hook(&attempt, WD_HOOK_SPECS[WD_HOOK_GUARD_BPF].section);
	for (int i = 0; !attempt.error && i < WD_HOOKS; i++) {
		if (!wd_hook_is_wanted(i, WD_MODE_LSM) ||
		    wd_hook_exists(WD_HOOK_SPECS[i].section))
			continue;
		attempt.name = WD_HOOK_SPECS[i].section;
		attempt.error = ENOENT;
		attempt.detail = "the kernel's BTF does not have it";
	}
	return attempt;
}

int wd_mode_choose(__u32 asked, __u32 *ret_mode)
{
	struct wd_attempt obstacle = {};
	char advice[256];

	if (asked != WD_MODE_AUDIT)
		obstacle = find_obstacle();
	if (asked == WD_MODE_LSM && obstacle.error) {
		snprintf(advice, sizeof(advice), "%s; warden-load probe says more",
			 obstacle.detail);
		return wd_fail(EX_CONFIG, "mode lsm", obstacle.name, obstacle.error, advice);
	}
	if (asked == 0 && obstacle.error)
		wd_note("mode audit, nothing is refused: %s: %s; %s", obstacle.name,
			strerror(obstacle.error), obstacle.detail);
	*ret_mode = asked == WD_MODE_AUDIT || obstacle.error ? WD_MODE_AUDIT : WD_MODE_LSM;
	return EX_OK;
}
