/* SPDX-License-Identifier: Apache-2.0 */
/* warden-load: the one privileged program. Each verb is one function; options.c has the help. */
#include "cleanup.h"
#include "load.h"
#include "options.h"
#include "place.h"
#include "probe.h"
#include "run.h"
#include "say.h"

static int need_root(void)
{
	if (geteuid() == 0)
		return EX_OK;
	return wd_fail(EX_NOPERM, "warden-load", "not root", 0, "run it as root");
}

static int load(const struct wd_options *options)
{
	_cleanup_set_ struct wd_set set;
	_cleanup_fd_ int lock = -1;
	static struct wd_policy policy;
	int code;

	wd_set_init(&set);
	code = wd_policy_read(options->policy, &policy);
	if (!code)
		code = wd_place_make(options->dir);
	if (!code)
		code = wd_place_lock(options->dir, &lock);
	return code ? code : wd_load(options, options->gid, &policy, &set);
}

static int unload(const struct wd_options *options)
{
	_cleanup_fd_ int lock = -1;
	int code;

	if (access(options->dir, F_OK))
		return EX_OK;
	code = wd_place_lock(options->dir, &lock);
	return code ? code : wd_unload(options->dir);
}

int main(int argc, char **argv)
{
	struct wd_options options;
	int code = wd_options_read(argc, argv, &options);

	if (code)
		return code < 0 ? EX_OK : code;
	code = need_root();
	if (code)
		return code;
	if (options.verb == WD_VERB_PROBE)
		return wd_probe(&options);
	if (options.verb == WD_VERB_LOAD)
		return load(&options);
	if (options.verb == WD_VERB_UNLOAD)
		return unload(&options);
	return wd_run(&options);
}
