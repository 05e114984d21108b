/* SPDX-License-Identifier: Apache-2.0 */
/* Whether anybody but root can say which file is at a path, or what is in it. */
#ifndef WARDEN_OWNER_H
#define WARDEN_OWNER_H

#include <stdbool.h>
#include <sys/stat.h>

/*
 * True where the file, which `info` is of, is root's and nobody else's to write, and so is each
 * directory and each link on the way to it. In a sticky directory what root made stays root's.
 */
bool wd_is_roots(const char *path, const struct stat *info);

#endif /* WARDEN_OWNER_H */
