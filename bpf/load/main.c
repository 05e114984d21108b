/* SPDX-License-Identifier: Apache-2.0 */
/* warden-load: the one privileged program. Each verb is one function; options.c has the help. */
#include "apply.h"
#include "cleanup.h"
#include "load.h"
#include "options.h"
#include "place.h"
#include "probe.h"
#include "run.h"
#include "say.h"
#include "source.h"
#include "token.h"

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

/* One request at a time: each reads what it changes. */
static int with_pins(const struct wd_options *options,
		     int (*act)(const struct wd_options *options, const struct wd_set *set))
{
	_cleanup_set_ struct wd_set set;
	_cleanup_fd_ int lock = -1;
	int code;

	wd_set_init(&set);
	code = wd_place_wait(options->dir, "request.lock", &lock);
	if (!code)
		code = wd_raise_open(options->dir, &set);
	return code ? code : act(options, &set);
}

static int act_raise(const struct wd_options *options, const struct wd_set *set)
{
	return wd_raise_set(set, &options->request);
}

static int act_clear(const struct wd_options *options, const struct wd_set *set)
{
	return wd_raise_clear(set, &options->request);
}

static int act_raises(const struct wd_options *options, const struct wd_set *set)
{
	(void)options;
	return wd_raise_show(set);
}

static int act_glass(const struct wd_options *options, const struct wd_set *set)
{
	return wd_token_redeem(set, options->token);
}

/* The policy first, then those who read it: a service that starts finds both. */
static int act_apply(const struct wd_options *options, const struct wd_set *set)
{
	static struct wd_policy policy;
	int code = wd_policy_read(options->policy, &policy);

	if (!code)
		code = wd_apply_policy(set, &policy, false);
	return code ? code : wd_source_name(options->dir, options->source);
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
	if (options.verb == WD_VERB_APPLY)
		return with_pins(&options, act_apply);
	if (options.verb == WD_VERB_RAISE)
		return with_pins(&options, act_raise);
	if (options.verb == WD_VERB_CLEAR)
		return with_pins(&options, act_clear);
	if (options.verb == WD_VERB_RAISES)
		return with_pins(&options, act_raises);
	if (options.verb == WD_VERB_GLASS)
		return with_pins(&options, act_glass);
	return wd_run(&options);
}
