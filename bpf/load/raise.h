/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What raises, in the one map that services can't open: bases by policy, and what operators give
 * for a time. The kernel ends each by itself.
 */
#ifndef WARDEN_RAISE_H
#define WARDEN_RAISE_H

#include "policy.h"
#include "set.h"

#include <stdint.h>

#define WD_RAISE_SUBJECTS 8
#define WD_ALL_COMMANDS (~0ULL)

/* What an operator gives or takes back. Texts are NUL-terminated. */
struct wd_request {
	__u32 kind;	       /* enum wd_raise_kind */
	__u32 tier;	       /* of a pin */
	bool has_tier;
	__u64 commands;	       /* of break-glass */
	__u64 for_ms;
	__u64 issued_ms;       /* since 1970; 0: unknown */
	bool over_ceiling;
	char id[WD_RAISE_ID];
	char author[WD_RAISE_AUTHOR];
	char reason[WD_RAISE_REASON];
	__u32 subjects_count;
	struct wd_subject subjects[WD_RAISE_SUBJECTS];
};

/* `pin`, `break-glass` or `observe` as its number; 0 for anything else. */
__u32 wd_raise_kind(const char *name);

const char *wd_raise_kind_name(__u32 kind);

/* CLOCK_BOOTTIME. */
__u64 wd_boot_ns(void);
int64_t wd_boot_ms(void);

/* Zeroed when there is no entry. Returns 0 or -errno. */
int wd_raise_read(const struct wd_set *set, const struct wd_subject *subject,
		  struct wd_raise *ret_raise);

/* All subjects of the map, at most WD_MAX_RAISES; returns their number. */
__u32 wd_raise_list(const struct wd_set *set, struct wd_subject *ret_keys);

/* Opens what is pinned in DIR, and takes the role of one of ours. Returns an exit code. */
int wd_raise_open(const char *dir, struct wd_set *set);

/* Why it can't be given now, with the exit code for that; NULL when it can. */
const char *wd_raise_wrong(const struct wd_set *set, const struct wd_request *request,
			   int *ret_code);

/* Each returns an exit code, and says what it did in a record of the deny ring. */
int wd_raise_set(const struct wd_set *set, const struct wd_request *request);
int wd_raise_clear(const struct wd_set *set, const struct wd_request *request);

/* Says that a token was refused, and why: `request` is what it says, which may be a lie. */
void wd_raise_refused(const struct wd_set *set, const struct wd_request *request,
		      const char *why);

/* Says something of the guard itself for the record: WD_SAID_GUARD or WD_SAID_SEAL. */
void wd_say_state(const struct wd_set *set, __u32 kind, __u32 action, const char *text);

/* Prints what a request came to, as JSON. */
void wd_raise_say(const struct wd_request *request, const char *effect);

/* What of the policy is in force, map by map, as an object of `json`. */
struct wd_json;
void wd_show_in_force(const struct wd_set *set, struct wd_json *json);

/* Prints what is held of subjects, and what raises them, as JSON. Returns an exit code. */
int wd_raise_show(const struct wd_set *set);

/*
 * Takes their base from all that the policy does not trust, then gives it to those that it does:
 * before and after the policy is in force, so that a stop in between leaves nobody raised who is
 * not to be. Each returns 0 or -errno.
 */
int wd_raise_take_bases(const struct wd_set *set, const struct wd_policy *policy);
int wd_raise_give_bases(const struct wd_set *set, const struct wd_policy *policy);

#endif /* WARDEN_RAISE_H */
