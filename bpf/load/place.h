/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run-time directory: DIR/lock (one writer a host), DIR/request.lock (one change of the maps at
 * a time), DIR/bpf (our own bpffs, 0750 root:gid: the system's is closed to services),
 * DIR/load.json, DIR/source, DIR/app (a mount point). Who holds both locks took DIR/lock first.
 */
#ifndef WARDEN_PLACE_H
#define WARDEN_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

/* Makes DIR when missing; refuses one that others could change. Returns an exit code. */
int wd_place_make(const char *dir);

/* Makes a service's state directory, if it is not there and its own. Returns an exit code. */
int wd_place_state(const char *path, uid_t uid, gid_t gid);

/* Takes DIR/lock until the fd is closed. Returns an exit code; EX_UNAVAILABLE when it is taken. */
int wd_place_lock(const char *dir, int *ret_fd);

/* The process that holds DIR/lock; 0 when none does. */
pid_t wd_place_owner(const char *dir);

/* Sends it a signal. Returns 0, -ESRCH when there is none, or -errno. */
int wd_place_signal(const char *dir, int number);

/* Takes DIR/request.lock until the fd is closed; waits 20 s at most. Returns an exit code. */
int wd_place_request(const char *dir, int *ret_fd);

/* The same, for whom it may wait: returns 0, -EWOULDBLOCK, or -errno. */
int wd_place_try_request(const char *dir, int *ret_fd);

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
