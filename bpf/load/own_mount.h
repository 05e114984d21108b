/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the kernel by a mount of our own: whatever is mounted elsewhere, or over it. */
#ifndef WARDEN_OWN_MOUNT_H
#define WARDEN_OWN_MOUNT_H

/* Opens `path` of a file system of the kernel, such as "proc". Returns an fd or -errno. */
int wd_open_own(const char *type, const char *path, int flags);

#endif /* WARDEN_OWN_MOUNT_H */
