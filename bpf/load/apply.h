/* SPDX-License-Identifier: Apache-2.0 */
/* A policy into the maps: written into the half that is not in force, which is then flipped. */
#ifndef WARDEN_APPLY_H
#define WARDEN_APPLY_H

#include "policy.h"
#include "set.h"

#include <sys/stat.h>

/* An open file's key as the kernel sees it: stat(2) says otherwise on overlayfs. 0 or -errno. */
int wd_key_of(const struct wd_set *set, int fd, struct wd_exe_key *ret_key);

/*
 * Finds each loader's file, checks its hash and takes its key from the kernel itself; sets
 * `status` of each. Returns an exit code.
 */
int wd_apply_policy(const struct wd_set *set, struct wd_policy *policy, bool first);

/* The line that lists this content for the path, or NULL. */
const struct wd_policy_loader *wd_loader_listed(const struct wd_policy *policy, const char *path,
						const __u8 digest[WD_DIGEST_LEN]);

/*
 * How long a file that changed at its ctime is kept yet, in ns; 0: no more. A clock that stood
 * elsewhere then gains nobody more than the whole.
 */
__u64 wd_left_of(const struct wd_policy_loader *loader, const struct stat *info);

/* A loader as its line has it. */
void wd_loader_fill(const struct wd_policy_loader *loader, struct wd_loader_half *ret_half);

/* The code that loaders may map, with what is in it now. Returns 0 or -errno. */
int wd_code_write(const struct wd_set *set, struct wd_policy *policy, __u32 half);

/* The domains of a policy into one half, and where they are. Returns 0 or -errno. */
int wd_domains_write(const struct wd_set *set, struct wd_policy *policy, __u32 half);

#endif /* WARDEN_APPLY_H */
