/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A grant's list of kfuncs: patterns with `*`, of which those with `!` take away. A kfunc is
 * granted if some pattern matches and no `!pattern` does.
 */
#ifndef WARDEN_PATTERN_H
#define WARDEN_PATTERN_H

#include <linux/types.h>
#include <stdbool.h>

#define WD_PATTERNS_MAX 64
#define WD_PATTERN_LEN 64

struct wd_pattern {
	bool except;	       /* was written with `!` */
	bool all;	       /* is just `*`: it names no kfunc */
	char text[WD_PATTERN_LEN + 1];
};

struct wd_patterns {
	__u32 count;
	struct wd_pattern list[WD_PATTERNS_MAX];
};

/* Reads `-`, or patterns with commas between them. Returns NULL, or what is wrong. */
const char *wd_patterns_read(const char *text, struct wd_patterns *ret_patterns);

bool wd_patterns_grant(const struct wd_patterns *patterns, const char *name);

/* True when a pattern, with or without `!`, that is not just `*` matches. */
bool wd_patterns_name(const struct wd_patterns *patterns, const char *name);

/* True when some pattern could name a kfunc. */
bool wd_patterns_name_any(const struct wd_patterns *patterns);

/* True when kfuncs that nobody names are granted: there is a `*` and no `!*`. */
bool wd_patterns_grant_unnamed(const struct wd_patterns *patterns);

#endif /* WARDEN_PATTERN_H */
