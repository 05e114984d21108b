/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of loaders that change while a policy is in force. The monitor looks at each path at least
 * once a second, says what it found, and lets what `on_change` keeps be the loader: for a while, or
 * until the policy is applied again. What it can't look at is nobody's file.
 */
#ifndef WARDEN_CHANGE_H
#define WARDEN_CHANGE_H

#include "policy.h"
#include "set.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* One path. */
struct wd_watched {
	const struct wd_policy *policy;
	const struct wd_policy_loader *line; /* its first in the policy */
	bool looked;
	struct stat seen;      /* st_ino 0: there was none */
	__u8 accepted[WD_DIGEST_LEN]; /* content that the policy was applied to */
	__u8 digest[WD_DIGEST_LEN];   /* of the content that is there */
	__u32 said;	       /* enum wd_said_file; 0: as the policy found it */
	bool over;	       /* was kept for its time: another change is not */
	__u64 until_boot_ns;   /* of what is kept; 0: without end */
};

struct wd_changes {
	const char *dir;
	struct stat list;      /* of DIR/loaders, as it was read */
	int notify;	       /* of the directories that the paths are in; -1: none */
	int64_t next_ms;       /* CLOCK_BOOTTIME */
	__u8 hash[WD_DIGEST_LEN]; /* of the policy whose loaders these are */
	__u32 count;
	struct wd_watched files[WD_MAX_LOADERS];
};

/* DIR/loaders: what the monitor is to watch. Left alone when another policy is in force. */
int wd_changes_write(const char *dir, const struct wd_policy *policy, const struct wd_set *set);

/* False when no request has left any. */
bool wd_changes_are_listed(const char *dir);

/* True when a policy's loaders are known: read again when they are others. */
bool wd_changes_read(struct wd_changes *changes);

/* True when something changed in one of their directories since it was asked last. */
bool wd_changes_told(const struct wd_changes *changes);

/* Looks when it is time to, or a SIGIO has told of a change. */
void wd_changes_look(struct wd_changes *changes, const struct wd_set *set);

void wd_changes_end(struct wd_changes *changes);

#endif /* WARDEN_CHANGE_H */
