/* SPDX-License-Identifier: Apache-2.0 */
/* Limits are checked here, whoever asks: the kernel then only compares times. */
#include "raise.h"

#include "cleanup.h"
#include "prove.h"
#include "say.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define NS_PER_MS 1000000ULL
#define MINUTE_MS 60000ULL
#define GLASS_MAX_MS (60 * MINUTE_MS)
#define LONG_MAX_MS (30 * 24 * 60 * MINUTE_MS)
/* Break-glass on a host at once, by id: of how many subjects each does not matter. */
#define GLASS_MAX 2
#define GIVEN_MAX (WD_MAX_RAISES - WD_MAX_TRUSTED)

static const char *const KINDS[] = {
	[WD_RAISE_PIN] = "pin",
	[WD_RAISE_GLASS] = "break-glass",
	[WD_RAISE_OBSERVE] = "observe",
};

static const char *const SUBJECTS[] = {
	[WD_SUBJECT_AUID] = "auid",
	[WD_SUBJECT_LOADER] = "loader",
	[WD_SUBJECT_UID] = "uid",
};

__u32 wd_subject_kind(const char *name)
{
	for (__u32 kind = WD_SUBJECT_AUID; kind < WD_COUNT(SUBJECTS); kind++)
		if (!strcmp(name, SUBJECTS[kind]))
			return kind;
	return 0;
}

const char *wd_subject_kind_name(__u32 kind)
{
	return kind > 0 && kind < WD_COUNT(SUBJECTS) ? SUBJECTS[kind] : "unknown";
}

const char *wd_raise_kind_name(__u32 kind)
{
	return kind > 0 && kind < WD_COUNT(KINDS) ? KINDS[kind] : "unknown";
}

__u32 wd_raise_kind(const char *name)
{
	for (__u32 kind = WD_RAISE_PIN; kind < WD_COUNT(KINDS); kind++)
		if (!strcmp(name, KINDS[kind]))
			return kind;
	return 0;
}

__u64 wd_boot_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (__u64)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t wd_boot_ms(void)
{
	return (int64_t)(wd_boot_ns() / NS_PER_MS);
}

int wd_raise_open(const char *dir, struct wd_set *set)
{
	struct wd_config config;
	int err = wd_set_open_maps(dir, set);

	if (err == -EPERM || err == -EACCES)
		return wd_fail(EX_NOPERM, "open pins", dir, err,
			       "the guard in force refuses this caller");
	if (err)
		return wd_fail(EX_UNAVAILABLE, "open pins", dir, err,
			       "nothing is loaded there: start with ./warden up");
	err = wd_give_role(set, getpid(), WD_ROLE_LOAD);
	if (!err)
		err = wd_config_read(set, &config);
	if (err == -EPROTO || (!err && config.layout_version != WD_LAYOUT_VERSION))
		return wd_fail(EX_UNAVAILABLE, "maps", dir, 0,
			       "another version of bpf-warden is loaded");
	if (!err)
		err = wd_set_open_generation(dir, config.generation, config.mode, set);
	return err ? wd_fail(EX_OSERR, "open pins", dir, err, NULL) : EX_OK;
}

/* A record that can't be sent is counted by the program; what was given stays given. */
static void tell(const struct wd_set *set, const struct wd_request *request,
		 const struct wd_subject *subject, __u32 action, __u64 until)
{
	struct wd_declare context = { .what = WD_DECLARE_RAISED };
	struct wd_raised *raised = &context.raised;
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &context, .ctx_size_in = sizeof(context));

	raised->subject = *subject;
	raised->kind = request->kind;
	raised->action = action;
	raised->tier = request->tier;
	raised->commands = request->commands;
	raised->until_boot_ns = until;
	raised->issued_ms = request->issued_ms;
	memcpy(raised->id, request->id, sizeof(raised->id));
	memcpy(raised->author, request->author, sizeof(raised->author));
	memcpy(raised->reason, request->reason, sizeof(raised->reason));
	if (bpf_prog_test_run_opts(set->declare, &run))
		wd_note("%s: done, but not recorded: %s", KINDS[request->kind], strerror(errno));
}

void wd_say_state(const struct wd_set *set, __u32 kind, __u32 action, const char *text)
{
	struct wd_declare context = { .what = WD_DECLARE_RAISED };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &context, .ctx_size_in = sizeof(context));

	context.raised.kind = kind;
	context.raised.action = action;
	snprintf(context.raised.reason, sizeof(context.raised.reason), "%s", text);
	if (bpf_prog_test_run_opts(set->declare, &run))
		wd_note("%s: not recorded: %s", text, strerror(errno));
}

int wd_raise_read(const struct wd_set *set, const struct wd_subject *subject,
		      struct wd_raise *ret_raise)
{
	memset(ret_raise, 0, sizeof(*ret_raise));
	if (bpf_map_lookup_elem(set->map[WD_MAP_RAISES], subject, ret_raise) && errno != ENOENT)
		return -errno;
	return 0;
}

static bool is_trusted(const struct wd_policy *policy, const struct wd_subject *subject)
{
	for (__u32 i = 0; i < policy->trusted_count; i++)
		if (policy->trusted[i].kind == subject->kind &&
		    policy->trusted[i].id == subject->id)
			return true;
	return false;
}

static bool is_given(const struct wd_raise *raise)
{
	return raise->pin || raise->glass_until || raise->observe_until;
}

__u32 wd_raise_list(const struct wd_set *set, struct wd_subject *ret_keys)
{
	struct wd_subject *last = NULL;
	__u32 count = 0;

	while (count < WD_MAX_RAISES &&
	       !bpf_map_get_next_key(set->map[WD_MAP_RAISES], last, &ret_keys[count]))
		last = &ret_keys[count++];
	return count;
}

/* The programs look into the map only while it is counted as not empty. */
static int count_entries(const struct wd_set *set)
{
	static struct wd_subject keys[WD_MAX_RAISES];
	struct wd_config config;
	int err = wd_config_read(set, &config);

	if (err)
		return err;
	config.raises = wd_raise_list(set, keys);
	return wd_config_write(set, &config);
}

/* The caller counts when it is done. */
static int write_raise(const struct wd_set *set, const struct wd_subject *subject,
		       const struct wd_raise *raise)
{
	int map = set->map[WD_MAP_RAISES];

	if (!raise->base && !is_given(raise))
		return bpf_map_delete_elem(map, subject) && errno != ENOENT ? -errno : 0;
	return bpf_map_update_elem(map, subject, raise, BPF_ANY) ? -errno : 0;
}

static void drop_ended(struct wd_raise *raise)
{
	__u64 now = wd_boot_ns();

	if (raise->pin_until <= now) {
		raise->pin = raise->pin_until = 0;
		memset(raise->pin_id, 0, WD_RAISE_ID);
	}
	if (raise->glass_until <= now) {
		raise->glass_until = raise->glass_commands = raise->over_ceiling = 0;
		memset(raise->glass_id, 0, WD_RAISE_ID);
	}
	if (raise->observe_until <= now) {
		raise->observe_until = 0;
		memset(raise->observe_id, 0, WD_RAISE_ID);
	}
}

/*
 * What is over does nothing, but takes room; with a policy, bases that are not of it go too.
 * `ret_given` is how many subjects are left that operators gave something.
 */
static int sweep(const struct wd_set *set, const struct wd_policy *policy, __u32 *ret_given)
{
	static struct wd_subject keys[WD_MAX_RAISES];
	__u32 count = wd_raise_list(set, keys);
	int err = 0;

	*ret_given = 0;
	for (__u32 i = 0; !err && i < count; i++) {
		struct wd_raise raise;

		err = wd_raise_read(set, &keys[i], &raise);
		drop_ended(&raise);
		*ret_given += is_given(&raise);
		if (policy && !is_trusted(policy, &keys[i]))
			raise.base = 0;
		if (!err)
			err = write_raise(set, &keys[i], &raise);
	}
	return err;
}

/* What is wrong with a request that gives, or NULL. */
static const char *find_wrong(const struct wd_request *request)
{
	bool glass = request->kind == WD_RAISE_GLASS;

	if (request->for_ms == 0 || request->for_ms > (glass ? GLASS_MAX_MS : LONG_MAX_MS))
		return glass ? "lasts 1 ms to 60 minutes" : "lasts 1 ms to 30 days";
	if ((request->kind == WD_RAISE_PIN) != request->has_tier)
		return request->has_tier ? "has no tier: leave --tier out" : "needs --tier 0..4";
	if (!glass && request->commands != WD_ALL_COMMANDS)
		return "is for all commands: leave --commands out";
	return NULL;
}

/* Break-glass that lasts, by id, but for the one of `request`. */
static int count_glass(const struct wd_set *set, const struct wd_request *request)
{
	static struct wd_subject keys[WD_MAX_RAISES];
	char seen[GLASS_MAX][WD_RAISE_ID];
	__u32 count = wd_raise_list(set, keys);
	__u64 now = wd_boot_ns();
	int found = 0;

	for (__u32 i = 0; i < count && found < GLASS_MAX; i++) {
		struct wd_raise raise;
		bool known = false;

		if (wd_raise_read(set, &keys[i], &raise) || raise.glass_until <= now ||
		    !strcmp(raise.glass_id, request->id))
			continue;
		for (int n = 0; n < found; n++)
			known |= !strcmp(seen[n], raise.glass_id);
		if (!known)
			memcpy(seen[found++], raise.glass_id, WD_RAISE_ID);
	}
	return found;
}

static void put(struct wd_raise *raise, const struct wd_request *request, __u64 until)
{
	switch (request->kind) {
	case WD_RAISE_PIN:
		raise->pin = until ? request->tier + 1 : 0;
		raise->pin_until = until;
		memcpy(raise->pin_id, request->id, WD_RAISE_ID);
		break;
	case WD_RAISE_GLASS:
		raise->glass_until = until;
		raise->glass_commands = request->commands;
		raise->over_ceiling = request->over_ceiling;
		memcpy(raise->glass_id, request->id, WD_RAISE_ID);
		break;
	default:
		raise->observe_until = until;
		memcpy(raise->observe_id, request->id, WD_RAISE_ID);
	}
}

static int change_one(const struct wd_set *set, const struct wd_request *request,
		      const struct wd_subject *subject, __u64 until)
{
	struct wd_raise raise;
	int err = wd_raise_read(set, subject, &raise);

	if (err)
		return err;
	put(&raise, request, until);
	drop_ended(&raise);
	return write_raise(set, subject, &raise);
}

static int change(const struct wd_set *set, const struct wd_request *request, __u64 until)
{
	__u32 given, done = 0;
	int counted, err = sweep(set, NULL, &given);

	/* All of them or none; and there is always room for a policy's bases. */
	if (!err && until && given + request->subjects_count > GIVEN_MAX)
		err = -E2BIG;
	while (!err && done < request->subjects_count) {
		err = change_one(set, request, &request->subjects[done], until);
		done += !err;
	}
	counted = count_entries(set);
	for (__u32 i = 0; i < done; i++)
		tell(set, request, &request->subjects[i],
		     until ? WD_RAISE_SET : WD_RAISE_CLEARED, until);
	if (!err)
		err = counted;
	return err ? wd_fail(EX_OSERR, "raises", KINDS[request->kind], err,
			     err == -E2BIG ? "512 subjects are raised already" : NULL) : EX_OK;
}

const char *wd_raise_wrong(const struct wd_set *set, const struct wd_request *request,
			   int *ret_code)
{
	const char *wrong = find_wrong(request);

	*ret_code = EX_USAGE;
	if (wrong)
		return wrong;
	*ret_code = EX_UNAVAILABLE;
	if (request->kind == WD_RAISE_GLASS && count_glass(set, request) >= GLASS_MAX)
		return "two are in force on this host already";
	*ret_code = EX_OK;
	return NULL;
}

int wd_raise_set(const struct wd_set *set, const struct wd_request *request)
{
	int code;
	const char *wrong = wd_raise_wrong(set, request, &code);

	if (wrong)
		return wd_fail(code, "raise", KINDS[request->kind], 0, wrong);
	return change(set, request, wd_boot_ns() + request->for_ms * NS_PER_MS);
}

int wd_raise_clear(const struct wd_set *set, const struct wd_request *request)
{
	return change(set, request, 0);
}

void wd_raise_refused(const struct wd_set *set, const struct wd_request *request,
		      const char *why)
{
	static const struct wd_subject nobody;
	struct wd_request refused = *request;

	/* What it gives as its reason was perhaps signed by nobody. */
	snprintf(refused.reason, sizeof(refused.reason), "%s", why);
	tell(set, &refused, request->subjects_count ? &request->subjects[0] : &nobody,
	     WD_RAISE_REFUSED, 0);
}

int wd_raise_take_bases(const struct wd_set *set, const struct wd_policy *policy)
{
	__u32 given;

	return sweep(set, policy, &given);
}

int wd_raise_give_bases(const struct wd_set *set, const struct wd_policy *policy)
{
	int err = 0;

	for (__u32 i = 0; !err && i < policy->trusted_count; i++) {
		struct wd_raise raise;

		err = wd_raise_read(set, &policy->trusted[i], &raise);
		raise.base = WD_TIER_TRUSTED + 1;
		if (!err)
			err = write_raise(set, &policy->trusted[i], &raise);
	}
	return err ? err : count_entries(set);
}
