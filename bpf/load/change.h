/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of loaders that change while a policy is in force. The monitor looks at each path at least
 * once a second, says what it found, and lets what `on_change` keeps be the loader: for a while, or
 * until the policy is applied again. A path that has no file it can look at changes nothing.
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
	bool has_accepted;
	__u8 accepted[WD_DIGEST_LEN]; /* content that the policy was applied to */
	__u8 digest[WD_DIGEST_LEN];   /* of the content that is there */
	__u32 said;	       /* enum wd_said_file; 0: as the policy found it */
	__u32 before;	       /* `said`, before it was gone */
	bool over;	       /* was kept for its time: another change is not */
	__u64 until_boot_ns;   /* of what is kept; 0: without end */
	__u32 admitted_count;
	struct wd_exe_key admitted[WD_FILES_OF_PATH]; /* since the policy was applied, in a ring */
};

struct wd_changes {
	const char *dir;
	int notify;	       /* of the directories that the paths are in; -1: none */
	bool told;	       /* of a change since the last look */
	int64_t looked_ms;     /* CLOCK_BOOTTIME */
	__u32 applied;	       /* the count of the config that the files below are of; 0: none */
	__u32 next;	       /* file to look at; 0: a new pass */
	__u32 missed;	       /* looks in a row that came to nothing */
	bool dirty;	       /* DIR/changes.json is to be written */
	__u32 count;
	struct wd_watched files[WD_MAX_LOADERS];
};

/* SHA-256 of DIR/loaders as it would be written. Returns an exit code. */
int wd_changes_digest(const struct wd_policy *policy, __u8 ret_digest[WD_DIGEST_LEN]);

/* DIR/loaders: what the monitor is to watch. Left alone when another policy is in force. */
void wd_changes_write(const char *dir, const struct wd_policy *policy, const struct wd_set *set);

/* Reads them when another policy was put in force. False when they are not what it wrote. */
bool wd_changes_read(struct wd_changes *changes, const struct wd_config *config);

/* True when something changed in one of their directories since it was asked last. */
bool wd_changes_told(const struct wd_changes *changes);

/* Looks when it is time to. Returns the milliseconds until the next look. */
int64_t wd_changes_look(struct wd_changes *changes, const struct wd_set *set);

void wd_changes_end(struct wd_changes *changes);

#endif /* WARDEN_CHANGE_H */
