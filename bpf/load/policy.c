/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled policy's reader: anything unknown, repeated, missing or out of range is an error. */
#include "policy.h"

#include "cleanup.h"
#include "say.h"
#include "sha256.h"
#include "words.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* The longest lines: a loader's path, or a grant's patterns. */
#define LINE_BYTES (PATH_MAX + WD_PATTERNS_MAX * (WD_PATTERN_LEN + 2) + 512)
#define NS_PER_MS 1000000ULL
#define DIMENSION_BITS (((1U << WD_DIMS) - 1) & ~1U)

enum scalar {
	SCALAR_VERSION = 1 << 0,
	SCALAR_HASH = 1 << 1,
	SCALAR_DEFAULT_TIER = 1 << 2,
	SCALAR_BULK_RATE = 1 << 3,
	SCALAR_UNKNOWN_GRANT = 1 << 4,
	SCALAR_CEILING = 1 << 5,
	SCALAR_PROTECT = 1 << 6,
	SCALAR_ALL = (1 << 7) - 1,
};

static const char *once(struct wd_policy *policy, enum scalar scalar)
{
	if (policy->scalars_set & scalar)
		return "given twice";
	policy->scalars_set |= scalar;
	return NULL;
}

/* Each reader of a line returns NULL, or what is wrong with it. */
static const char *read_version(struct wd_policy *policy, char **cursor)
{
	__u32 version;

	if (wd_take_number(cursor, NULL, 6, 6, &version))
		return "this build reads version 6";
	return once(policy, SCALAR_VERSION);
}

static const char *read_hash(struct wd_policy *policy, char **cursor)
{
	char *text = wd_take_word(cursor);

	if (!text || wd_unhex(text, WD_DIGEST_LEN, policy->scalars.hash))
		return "needs 64 hexadecimal digits";
	return once(policy, SCALAR_HASH);
}

static const char *read_default_tier(struct wd_policy *policy, char **cursor)
{
	if (wd_take_number(cursor, NULL, 0, WD_TIER_TRUSTED, &policy->scalars.default_tier))
		return "needs a tier, 0 to 4";
	return once(policy, SCALAR_DEFAULT_TIER);
}

static const char *read_ceiling(struct wd_policy *policy, char **cursor)
{
	if (wd_take_number(cursor, NULL, 0, WD_TIER_TRUSTED, &policy->scalars.ceiling))
		return "needs a tier, 0 to 4";
	return once(policy, SCALAR_CEILING);
}

static const char *read_protect(struct wd_policy *policy, char **cursor)
{
	if (wd_take_number(cursor, NULL, 0, WD_PROTECT_ENFORCE, &policy->scalars.protect))
		return "needs 0, 1 or 2: off, observe, enforce";
	return once(policy, SCALAR_PROTECT);
}

static const char *read_bulk_rate(struct wd_policy *policy, char **cursor)
{
	__u32 rate;

	if (wd_take_number(cursor, NULL, 0, UINT32_MAX, &rate))
		return "needs a number";
	policy->scalars.bulk_rate = rate;
	return once(policy, SCALAR_BULK_RATE);
}

static const char *read_unknown_grant(struct wd_policy *policy, char **cursor)
{
	if (wd_take_number(cursor, NULL, 0, WD_MAX_GRANTS - 1, &policy->scalars.unknown_grant))
		return "needs a grant, 0 to 63";
	return once(policy, SCALAR_UNKNOWN_GRANT);
}

static const char *read_masks(char **cursor, struct wd_grant *grant)
{
	__u64 enforce, keyrings;
	__u32 serial;

	if (wd_take_mask(cursor, "commands", 16, &grant->commands) ||
	    wd_take_mask(cursor, "prog_types", 16, &grant->prog_types) ||
	    wd_take_mask(cursor, "map_types", 16, &grant->map_types))
		return "needs commands=, prog_types= and map_types=, 16 hexadecimal digits each";
	if (wd_take_mask(cursor, "attach_types", 32, grant->attach_types) ||
	    wd_take_mask(cursor, "helpers", 64, grant->helpers))
		return "needs attach_types= and helpers=, 32 and 64 hexadecimal digits";
	if (wd_take_number(cursor, "foreign", 0, 1, &grant->foreign))
		return "needs foreign=0 or 1";
	if (wd_take_mask(cursor, "keyrings", 2, &keyrings) || keyrings >> WD_KEYRINGS ||
	    wd_take_number(cursor, "keyring", 0, INT32_MAX, &serial))
		return "needs keyrings= of 2 hexadecimal digits, bits 0 to 4, and keyring= a "
		       "number";
	grant->keyrings = (__u32)keyrings;
	grant->keyring_serial = (__s32)serial;
	if (wd_take_mask(cursor, "enforce", 4, &enforce) || enforce & ~(__u64)DIMENSION_BITS)
		return "needs enforce= of 4 hexadecimal digits, bits 1 to 8";
	grant->enforce = (__u32)enforce;
	return NULL;
}

static const char *read_grant(struct wd_policy *policy, char **cursor)
{
	struct wd_grant grant = {};
	const char *wrong;
	__u32 index;

	if (wd_take_number(cursor, NULL, 0, WD_MAX_GRANTS - 1, &index))
		return "needs a number, 0 to 63";
	if (policy->grants_set >> index & 1)
		return "given twice";
	wrong = read_masks(cursor, &grant);
	if (!wrong)
		wrong = wd_patterns_read(wd_take_value(cursor, "kfuncs"), &policy->kfuncs[index]);
	policy->grants[index] = grant;
	policy->grants_set |= 1ULL << index;
	return wrong;
}

static const char *read_tier(struct wd_policy *policy, char **cursor)
{
	__u32 tier, grant;

	if (wd_take_number(cursor, NULL, 0, WD_TIER_TRUSTED, &tier) ||
	    wd_take_number(cursor, "grant", 0, WD_MAX_GRANTS - 1, &grant))
		return "needs a tier, 0 to 4, and grant=0..63";
	if (policy->tiers_set >> tier & 1)
		return "given twice";
	policy->scalars.tier_grant[tier] = grant;
	policy->tiers_set |= 1U << tier;
	return NULL;
}

static const char *read_reflex(struct wd_policy *policy, char **cursor)
{
	struct wd_reflex_rule *rule;
	__u32 dimension, tier, for_ms;

	if (wd_take_number(cursor, NULL, 0, WD_DIMS - 1, &dimension) ||
	    wd_take_number(cursor, "tier", 0, WD_TIER_TRUSTED, &tier) ||
	    wd_take_number(cursor, "for_ms", 0, UINT32_MAX, &for_ms))
		return "needs a dimension, 0 to 8, tier=0..4 and for_ms= milliseconds";
	rule = &policy->scalars.reflex[dimension];
	if (rule->set)
		return "given twice";
	rule->set = 1;
	rule->tier = tier;
	rule->for_ns = (__u64)for_ms * NS_PER_MS;
	return NULL;
}

static const char *read_operator(struct wd_policy *policy, char **cursor)
{
	__u32 at = policy->operators_count;
	struct wd_operator_key *name = &policy->operator_names[at];
	const char *wrong;
	char *key;

	if (at == WD_MAX_OPERATORS)
		return "more than 32 operators";
	wrong = wd_read_name(wd_take_word(cursor), name->name);
	if (wrong)
		return wrong;
	for (__u32 i = 0; i < at; i++)
		if (!strcmp(policy->operator_names[i].name, name->name))
			return "given twice";
	key = wd_take_value(cursor, "key");
	if (!key || wd_unhex(key, WD_KEY_LEN, policy->operator_keys[at].key))
		return "needs key= with 64 hexadecimal digits";
	policy->operators_count++;
	return NULL;
}

static const char *read_trusted(struct wd_policy *policy, char **cursor)
{
	struct wd_subject *subject = &policy->trusted[policy->trusted_count];
	char *kind = wd_take_word(cursor);

	if (policy->trusted_count == WD_MAX_TRUSTED)
		return "more than 512 trusted subjects";
	subject->kind = kind ? wd_subject_kind(kind) : 0;
	if (!subject->kind || wd_take_number(cursor, NULL, 0, UINT32_MAX, &subject->id))
		return "needs auid, loader or uid, and a number";
	policy->trusted_count++;
	return NULL;
}

static const char *read_end(struct wd_policy *policy, char **cursor)
{
	(void)cursor;
	policy->ended = true;
	return NULL;
}

static const struct {
	const char *word;
	const char *(*read)(struct wd_policy *policy, char **cursor);
} LINES[] = {
	{ "warden-policy", read_version },     { "hash", read_hash },
	{ "default_tier", read_default_tier }, { "ceiling", read_ceiling },
	{ "bulk_rate", read_bulk_rate },       { "grant", read_grant },
	{ "tier", read_tier },		       { "unknown_grant", read_unknown_grant },
	{ "reflex", read_reflex },	       { "loader", wd_read_loader },
	{ "operator", read_operator },	       { "trusted", read_trusted },
	{ "protect", read_protect },	       { "adopt", wd_read_adopt },
	{ "domain", wd_read_domain },	       { "code", wd_read_code },
	{ "end", read_end },
};

static const char *read_line(struct wd_policy *policy, char *line)
{
	char *cursor = line, *word = wd_take_word(&cursor);
	const char *wrong = "unknown line";

	if (policy->ended)
		return "nothing may follow end";
	if (!(policy->scalars_set & SCALAR_VERSION) && (!word || strcmp(word, "warden-policy")))
		return "the first line must be: warden-policy 6";
	for (size_t i = 0; word && i < WD_COUNT(LINES); i++) {
		if (strcmp(word, LINES[i].word))
			continue;
		wrong = LINES[i].read(policy, &cursor);
		return wrong || !cursor ? wrong : "something follows that has no meaning";
	}
	return wrong;
}

static bool has_grant(const struct wd_policy *policy, __u32 index)
{
	return policy->grants_set >> index & 1;
}

/* What can only be told at the end of the file. */
static const char *check_whole(const struct wd_policy *policy)
{
	if (!policy->ended)
		return "ends without an end line: it was cut off";
	if (policy->scalars_set != SCALAR_ALL || policy->tiers_set != (1U << WD_TIERS) - 1)
		return "lacks hash, default_tier, ceiling, protect, bulk_rate, unknown_grant or a "
		       "tier";
	for (__u32 tier = 0; tier < WD_TIERS; tier++)
		if (!has_grant(policy, policy->scalars.tier_grant[tier]))
			return "a tier names a grant that is not there";
	if (!has_grant(policy, policy->scalars.unknown_grant))
		return "unknown_grant names a grant that is not there";
	for (__u32 i = 0; i < policy->loaders_count; i++)
		if (!has_grant(policy, policy->loaders[i].grant))
			return "a loader names a grant that is not there";
	return NULL;
}

static int fail_at(const char *path, unsigned int line, const char *wrong)
{
	char where[PATH_MAX + 32];

	snprintf(where, sizeof(where), "%s:%u", path, line);
	return wd_fail(EX_DATAERR, "policy", where, 0, wrong);
}

int wd_policy_read(const char *path, struct wd_policy *ret_policy)
{
	_cleanup_file_ FILE *file = fopen(path, "re");

	if (!file)
		return wd_fail(EX_NOINPUT, "policy", path, errno, "give a compiled policy file");
	return wd_policy_take(file, path, ret_policy);
}

int wd_policy_take(FILE *file, const char *path, struct wd_policy *ret_policy)
{
	static char line[LINE_BYTES];
	unsigned int number = 0;
	const char *wrong;

	memset(ret_policy, 0, sizeof(*ret_policy));
	while (fgets(line, sizeof(line), file)) {
		size_t len = strlen(line);

		number++;
		if (len == 0 || line[len - 1] != '\n')
			return fail_at(path, number, "line too long, not ended, or with a NUL");
		line[len - 1] = 0;
		wrong = read_line(ret_policy, line);
		if (wrong)
			return fail_at(path, number, wrong);
	}
	if (ferror(file))
		return wd_fail(EX_IOERR, "policy", path, errno, NULL);
	wrong = check_whole(ret_policy);
	return wrong ? fail_at(path, number, wrong) : EX_OK;
}
