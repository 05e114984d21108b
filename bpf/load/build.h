/* SPDX-License-Identifier: Apache-2.0 */
/* The programs in this binary: into the kernel, attached or not at all. */
#ifndef WARDEN_BUILD_H
#define WARDEN_BUILD_H

#include "layout.h"
#include "options.h"
#include "set.h"

/* SHA-256 of the object that this binary has for a mode: what tells one build from another. */
void wd_build_hash(__u32 mode, __u8 ret_hash[WD_DIGEST_LEN]);

/*
 * True when `set` holds pinned maps that this build can use as they are; else `ret_text` says what
 * differs.
 */
bool wd_build_fits(const struct wd_set *set, char ret_text[WD_LAYOUT_TEXT]);

/*
 * Loads the programs of a mode as generation `generation`, on the maps of `set` where they are
 * open and on new ones where not, and teaches them the kinds of fds. Attaches nothing: `set` gets
 * programs and the iterators' links. Returns an exit code.
 */
struct wd_build;
int wd_build_load(const struct wd_options *options, __u32 mode, __u32 generation,
		  struct wd_set *set, struct wd_build **ret_build);

/* Attaches the hooks, into `set`. Returns an exit code. */
int wd_build_attach(struct wd_build *build, struct wd_set *set);

void wd_build_free(struct wd_build **build);
#define _cleanup_build_ __attribute__((cleanup(wd_build_free)))

#endif /* WARDEN_BUILD_H */
