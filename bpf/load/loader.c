/* SPDX-License-Identifier: Apache-2.0 */
/* Loaders of the compiled policy: their lines, and what they are called. */
#include "policy.h"

#include "cleanup.h"
#include "sha256.h"
#include "words.h"

#include <stdint.h>
#include <string.h>

static const char *const KINDS[] = {
	[WD_LOADER_AGENT] = "agent",
	[WD_LOADER_TOOL] = "tool",
	[WD_LOADER_LOGIN] = "login",
	[WD_LOADER_RUNTIME] = "runtime",
};

const char *wd_loader_kind_name(__u32 kind)
{
	return kind > 0 && kind < WD_COUNT(KINDS) ? KINDS[kind] : "unknown";
}

const char *wd_loader_status_name(enum wd_loader_status status)
{
	static const char *const names[] = { "labelled", "absent", "unreadable", "mismatch",
					     "duplicate", "other", "kept" };

	return status < WD_COUNT(names) ? names[status] : "unknown";
}

static const char *read_kind(const char *text, __u32 *ret_kind)
{
	for (__u32 kind = WD_LOADER_AGENT; text && kind < WD_COUNT(KINDS); kind++) {
		if (strcmp(text, KINDS[kind]))
			continue;
		*ret_kind = kind;
		return NULL;
	}
	return "needs kind=agent, tool, login or runtime";
}

const char *wd_read_name(const char *text, char ret_name[WD_LOADER_NAME])
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t len = text ? strlen(text) : 0;

	if (len == 0 || len >= WD_LOADER_NAME || strspn(text, allowed) != len)
		return "needs name= of up to 63 letters, digits, dots, dashes or underscores";
	memcpy(ret_name, text, len + 1);
	return NULL;
}

const char *wd_read_path(char **cursor, char ret_path[PATH_MAX])
{
	const char *rest = *cursor;
	size_t len;

	*cursor = NULL;
	if (!rest || strncmp(rest, "path=/", 6))
		return "needs path=/PATH at its end";
	len = strlen(rest + 5);
	if (len >= PATH_MAX)
		return "path is too long";
	memcpy(ret_path, rest + 5, len + 1);
	return NULL;
}

/* A number means one name, and a name one number: services know loaders by either. */
static const char *check_number(const struct wd_policy *policy,
				const struct wd_policy_loader *loader)
{
	for (__u32 i = 0; i < policy->loaders_count; i++) {
		const struct wd_policy_loader *other = &policy->loaders[i];

		if ((other->number == loader->number) != !strcmp(other->name, loader->name))
			return "number and name of an earlier loader do not agree with it";
	}
	return NULL;
}

const char *wd_read_loader(struct wd_policy *policy, char **cursor)
{
	struct wd_policy_loader *loader = &policy->loaders[policy->loaders_count];
	const char *wrong;
	char *digest;

	if (policy->loaders_count == WD_MAX_LOADERS)
		return "more than 256 loaders";
	if (wd_take_number(cursor, NULL, 1, UINT32_MAX, &loader->number))
		return "needs a number from 1";
	wrong = read_kind(wd_take_value(cursor, "kind"), &loader->kind);
	if (wrong)
		return wrong;
	if (wd_take_number(cursor, "grant", 0, WD_MAX_GRANTS - 1, &loader->grant))
		return "needs grant=0..63";
	if (wd_take_number(cursor, "floor", 0, WD_TIER_TRUSTED, &loader->floor))
		return "needs floor=0..4";
	wrong = wd_read_name(wd_take_value(cursor, "name"), loader->name);
	if (wrong)
		return wrong;
	digest = wd_take_value(cursor, "sha256");
	loader->has_sha256 = digest && strcmp(digest, "-");
	if (!digest || (loader->has_sha256 && wd_unhex(digest, WD_DIGEST_LEN, loader->sha256)))
		return "needs sha256= with 64 hexadecimal digits or -";
	if (wd_take_number(cursor, "listed", 0, 1, &loader->listed))
		return "needs listed=0 or 1";
	if (wd_take_number(cursor, "keep", 0, WD_KEEP_ALWAYS, &loader->keep_s))
		return "needs keep= seconds";
	wrong = wd_read_path(cursor, loader->path);
	if (!wrong)
		wrong = check_number(policy, loader);
	policy->loaders_count++;
	return wrong;
}
