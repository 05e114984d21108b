/* SPDX-License-Identifier: Apache-2.0 */
/* The file that is at a loader's path now: what it comes to by the policy, and into the map. */
#ifndef WARDEN_LOADER_FILE_H
#define WARDEN_LOADER_FILE_H

#include "change.h"

struct wd_found {
	struct stat info;
	bool is_roots;	       /* see owner.h */
	__u8 digest[WD_DIGEST_LEN]; /* zero: not read, or too large to be a loader */
	struct wd_exe_key key;
	struct wd_loader value;
	__u32 half;	       /* the one in force */
};

/* All but the digest. False when there is no regular file, or it can't be opened. */
bool wd_file_find(const struct wd_set *set, __u32 half, const char *path,
		  struct wd_found *ret_found);

/* The digest. False when another file is there by now, or it can't be read. */
bool wd_file_read(const char *path, struct wd_found *found);

/* True when the map has it as this path's loader, whatever is in it. */
bool wd_file_is_of_path(const struct wd_watched *file, const struct wd_found *found);

/* True when the map has it as this path's loader, with the content that it has. */
bool wd_file_holds(const struct wd_watched *file, const struct wd_found *found);

/* True when the map has it as another path's loader: a link, or a copy of one inode. */
bool wd_file_is_anothers(const struct wd_watched *file, const struct wd_found *found);

/* What it comes to; sets the time of `file` when it is kept for one. */
enum wd_said_file wd_file_judge(struct wd_watched *file, const struct wd_found *found,
				struct wd_loader_half *ret_want);

/*
 * It is the loader from now on; known by its path, so is what runs of it already. Returns 0 or
 * -errno.
 */
int wd_file_admit(const struct wd_set *set, struct wd_watched *file, struct wd_found *found,
		  const struct wd_loader_half *want);

/* The same inode may have been the loader with another content. Returns 0 or -errno. */
int wd_file_shut_out(const struct wd_set *set, struct wd_found *found);

#endif /* WARDEN_LOADER_FILE_H */
