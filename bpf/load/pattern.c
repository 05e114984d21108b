/* SPDX-License-Identifier: Apache-2.0 */
/* Matching takes at most length of the pattern times length of the name: no backtracking tree. */
#include "pattern.h"

#include <stddef.h>
#include <string.h>

static const char WRONG[] =
	"needs kfuncs=- or up to 64 patterns of up to 64 letters, digits, _ and *, with commas";

static bool matches(const char *pattern, const char *name)
{
	const char *star = NULL, *resume = NULL;

	while (*name) {
		if (*pattern == '*') {
			star = pattern++;
			resume = name;
		} else if (*pattern == *name) {
			pattern++;
			name++;
		} else if (star) {
			/* The last star takes one character more. */
			pattern = star + 1;
			name = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == 0;
}

static bool read_one(const char *text, size_t len, struct wd_pattern *ret_pattern)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_*";

	ret_pattern->except = *text == '!';
	if (ret_pattern->except) {
		text++;
		len--;
	}
	if (len == 0 || len > WD_PATTERN_LEN || strspn(text, allowed) < len)
		return false;
	memcpy(ret_pattern->text, text, len);
	ret_pattern->text[len] = 0;
	ret_pattern->all = !strcmp(ret_pattern->text, "*");
	return true;
}

const char *wd_patterns_read(const char *text, struct wd_patterns *ret_patterns)
{
	ret_patterns->count = 0;
	if (!text)
		return WRONG;
	if (!strcmp(text, "-"))
		return NULL;
	for (;;) {
		size_t len = strcspn(text, ",");

		if (ret_patterns->count == WD_PATTERNS_MAX ||
		    !read_one(text, len, &ret_patterns->list[ret_patterns->count]))
			return WRONG;
		ret_patterns->count++;
		if (!text[len])
			return NULL;
		text += len + 1;
	}
}

bool wd_patterns_grant(const struct wd_patterns *patterns, const char *name)
{
	bool granted = false;

	for (__u32 i = 0; i < patterns->count; i++) {
		const struct wd_pattern *pattern = &patterns->list[i];

		if (!matches(pattern->text, name))
			continue;
		if (pattern->except)
			return false;
		granted = true;
	}
	return granted;
}

bool wd_patterns_name(const struct wd_patterns *patterns, const char *name)
{
	for (__u32 i = 0; i < patterns->count; i++)
		if (!patterns->list[i].all && matches(patterns->list[i].text, name))
			return true;
	return false;
}

bool wd_patterns_name_any(const struct wd_patterns *patterns)
{
	for (__u32 i = 0; i < patterns->count; i++)
		if (!patterns->list[i].all)
			return true;
	return false;
}

bool wd_patterns_grant_unnamed(const struct wd_patterns *patterns)
{
	bool granted = false;

	for (__u32 i = 0; i < patterns->count; i++) {
		if (patterns->list[i].all && patterns->list[i].except)
			return false;
		granted |= patterns->list[i].all;
	}
	return granted;
}
