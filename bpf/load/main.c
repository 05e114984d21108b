/* SPDX-License-Identifier: Apache-2.0 */
/* warden-load: the one privileged program. Each verb is one function; options.c has the help. */
#include "boot.h"
#include "cleanup.h"
#include "handover.h"
#include "load.h"
#include "options.h"
#include "place.h"
#include "probe.h"
#include "run.h"
#include "say.h"
#include "seal.h"
#include "token.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <time.h>

/* Tenths of a second: ten seconds for the service, thirty for the kernel to detach. */
#define STOP_TRIES 600

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
	static struct wd_boot boot;
	const char *file = options->boot_policy;
	int code;

	wd_set_init(&set);
	code = wd_place_make(options->dir);
	if (!code && wd_boot_is_off())
		return wd_boot_note_off(options->dir);
	if (!code)
		code = file ? wd_boot_choose(file, &policy, &boot) :
			      wd_policy_read(options->policy, &policy);
	policy.boot_revision = boot.revision;
	if (!code)
		code = wd_place_lock(options->dir, &lock);
	if (!code)
		code = wd_load(options, options->gid, &policy, &set);
	if (!code && file)
		wd_boot_told(&set, file, &boot);
	return code;
}

static int unload(const struct wd_options *options)
{
	_cleanup_fd_ int lock = -1;
	int code;

	if (access(options->dir, F_OK))
		return EX_OK;
	code = wd_place_lock(options->dir, &lock);
	if (!code)
		code = wd_seal_allows_unload(options, WD_ACTION_UNLOAD);
	return code ? code : wd_unload(options->dir);
}

/* The monitor ends its service, and unloads as it was told to when it was started. */
static int stop(const struct wd_options *options)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000000L };
	pid_t owner = wd_place_owner(options->dir);
	int err, code = owner ? wd_seal_allows_unload(options, WD_ACTION_STOP) : EX_OK;

	if (code)
		return code;
	err = wd_place_signal(options->dir, SIGTERM);
	if (err == -ESRCH)
		return wd_fail(EX_UNAVAILABLE, "stop", options->dir, 0, "nothing runs there");
	if (err)
		return wd_fail(EX_OSERR, "stop", options->dir, err, NULL);
	for (int tries = 0; wd_place_owner(options->dir) == owner; tries++) {
		if (tries == STOP_TRIES)
			return wd_fail(EX_TEMPFAIL, "stop", options->dir, ETIMEDOUT,
				       "it was told, and is not done yet");
		nanosleep(&pause, NULL);
	}
	return EX_OK;
}

/* One request at a time: each reads what it changes. */
static int with_pins(const struct wd_options *options,
		     int (*act)(const struct wd_options *options, const struct wd_set *set))
{
	_cleanup_set_ struct wd_set set;
	_cleanup_fd_ int lock = -1;
	int code;

	wd_set_init(&set);
	code = wd_place_request(options->dir, &lock);
	if (!code)
		code = wd_raise_open(options->dir, &set);
	return code ? code : act(options, &set);
}

static int said(const struct wd_options *options, int code, const struct wd_request *request,
		const char *effect)
{
	if (!code && options->json)
		wd_raise_say(request, effect);
	return code;
}

static int act_raise(const struct wd_options *options, const struct wd_set *set)
{
	int code = wd_seal_allows_raise(options, set);

	if (!code)
		code = wd_raise_set(set, &options->request);
	return said(options, code, &options->request, "given");
}

static int act_apply(const struct wd_options *options, const struct wd_set *set)
{
	int code = wd_seal_allows_file(options, set, WD_ACTION_APPLY, options->policy);

	return code ? code : wd_load_policy(options, set);
}

static int act_hand_over(const struct wd_options *options, const struct wd_set *set)
{
	int code = wd_seal_allows_file(options, set, WD_ACTION_UPGRADE, options->to);

	return code ? code : wd_hand_over(options, set);
}

static int act_clear(const struct wd_options *options, const struct wd_set *set)
{
	return said(options, wd_raise_clear(set, &options->request), &options->request,
		    "taken back");
}

static int act_raises(const struct wd_options *options, const struct wd_set *set)
{
	(void)options;
	return wd_raise_show(set);
}

static int act_glass(const struct wd_options *options, const struct wd_set *set)
{
	struct wd_request request = {};
	int code = wd_token_redeem(set, options->token, &request);

	return said(options, code, &request, "given");
}

static const struct {
	enum wd_verb verb;
	int (*act)(const struct wd_options *options, const struct wd_set *set);
} REQUESTS[] = {
	{ WD_VERB_APPLY, act_apply },	      { WD_VERB_RAISE, act_raise },
	{ WD_VERB_CLEAR, act_clear },	      { WD_VERB_RAISES, act_raises },
	{ WD_VERB_GLASS, act_glass },	      { WD_VERB_HAND_OVER, act_hand_over },
	{ WD_VERB_SEAL, wd_seal },	      { WD_VERB_UNSEAL, wd_unseal },
};

static int run_verb(const struct wd_options *options)
{
	for (size_t i = 0; i < WD_COUNT(REQUESTS); i++)
		if (options->verb == REQUESTS[i].verb)
			return with_pins(options, REQUESTS[i].act);
	switch (options->verb) {
	case WD_VERB_PROBE:
		return wd_probe(options);
	case WD_VERB_LOAD:
		return load(options);
	case WD_VERB_UNLOAD:
		return unload(options);
	case WD_VERB_STOP:
		return stop(options);
	case WD_VERB_WATCH:
		return wd_watch(options);
	default:
		return wd_run(options);
	}
}

int main(int argc, char **argv)
{
	struct wd_options options;
	int code = wd_options_read(argc, argv, &options);

	if (code)
		return code < 0 ? EX_OK : code;
	/* Its configuration can name libraries, which would run in this process. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	/* What tells a monitor of another policy must not end who holds the lock for a moment. */
	signal(SIGUSR1, SIG_IGN);
	code = need_root();
	if (code)
		return code;
	return run_verb(&options);
}
