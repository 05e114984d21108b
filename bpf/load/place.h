/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run-time directory: DIR/lock (one writer a host), DIR/bpf (our own bpffs, 0750 root:gid: the
 * system's is closed to services), DIR/load.json, DIR/app (a mount point).
 */
#ifndef WARDEN_PLACE_H
#define WARDEN_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

/* Makes DIR when missing; refuses one that others could change. Returns an exit code. */
int wd_place_make(const char *dir);

/* Takes DIR/lock until the fd is closed. Returns an exit code; EX_UNAVAILABLE when it is taken. */
/* Takes a lock of DIR that is held for moments only; waits 20 s at most. An exit code. */
int wd_place_wait(const char *dir, const char *name, int *ret_fd);

/* The process that holds the lock of `wd_place_lock`; 0 when none does. */
pid_t wd_place_owner(const char *dir);

int wd_place_lock(const char *dir, int *ret_fd);

bool wd_bpffs_is_mounted(const char *dir);

/* Mounts DIR/bpf when it is not, and gives it to the group. Returns an exit code. */
int wd_bpffs_mount(const char *dir, gid_t gid);

/* Removes every pin and the mount. Success when there is none. Returns an exit code. */
int wd_bpffs_unmount(const char *dir);

/* Removes the pins in the directory that `fd` is, but not itself. Returns 0 or -errno. */
int wd_empty_directory(int fd);

/* mkdir -p. Returns 0 or -errno. */
int wd_make_path(const char *path, mode_t mode);

#endif /* WARDEN_PLACE_H */
