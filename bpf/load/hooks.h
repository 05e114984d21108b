/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every program that is attached, by mode: which it is depends on what this kernel has, which is
 * told by its BTF. All hooks of a mode are required.
 */
#ifndef WARDEN_HOOKS_H
#define WARDEN_HOOKS_H

#include "control.h"

#include <bpf/btf.h>
#include <stdbool.h>

enum wd_hook {
	WD_HOOK_ENTER,
	WD_HOOK_EXIT,
	WD_HOOK_FORK,
	WD_HOOK_EXEC,
	WD_HOOK_GUARD_BPF,
	WD_HOOK_GUARD_BPF_EXIT,
	WD_HOOK_GUARD_PROG_LOAD,
	WD_HOOK_GUARD_PROG_CHECK,
	WD_HOOK_GUARD_PROG,
	WD_HOOK_GUARD_MAP,
	WD_HOOK_GUARD_PROG_FREE,
	WD_HOOK_GUARD_PROG_FREE_AUX,
	WD_HOOK_GUARD_MAP_FREE,
	WD_HOOK_GUARD_MAP_FREE_OLD,
	WD_HOOK_GUARD_FORK,
	WD_HOOK_GUARD_EXEC,
	WD_HOOK_GUARD_SETUID,
	WD_HOOK_GUARD_SETSOCKOPT,
	WD_HOOK_GUARD_IOCTL,
	WD_HOOK_GUARD_IOCTL_COMPAT,
	WD_HOOK_GUARD_NETLINK,
	WD_HOOK_GUARD_RECEIVE,
	WD_HOOK_GUARD_MMAP,
	WD_HOOK_GUARD_MPROTECT,
	WD_HOOK_GUARD_PROG_GET_TYPE,
	WD_HOOK_GUARD_PROG_GET,
	WD_HOOK_GUARD_LINK,
	WD_HOOK_GUARD_LINK_FREE,
	WD_HOOK_GUARD_SECCOMP,
	WD_HOOK_GUARD_OPEN,
	WD_HOOK_GUARD_UNLINK,
	WD_HOOK_GUARD_RMDIR,
	WD_HOOK_GUARD_RENAME,
	WD_HOOK_GUARD_HARD_LINK,
	WD_HOOK_GUARD_SYMLINK,
	WD_HOOK_GUARD_CREATE,
	WD_HOOK_GUARD_MKDIR,
	WD_HOOK_GUARD_MOUNT,
	WD_HOOK_GUARD_UMOUNT,
	WD_HOOK_GUARD_MOVE_MOUNT,
	WD_HOOK_GUARD_PTRACE,
	WD_HOOK_GUARD_CREDS,
	WD_HOOK_GUARD_PINNING,
	WD_HOOK_GUARD_RUN,
	WD_HOOK_TASK_EXIT,
	WD_HOOKS,
};

struct wd_hook_spec {
	const char *name;      /* of the program, and of its pin */
	const char *section;   /* where it is attached, as libbpf writes it */
	__u32 modes;	       /* bit n: enum wd_mode n attaches it */
	const char *instead;   /* where mode fmod_ret attaches it; or NULL: there as well */
	const char *with;      /* only where the kernel has this function; or NULL */
	const char *without;   /* only where it does not have this one; or NULL */
};

extern const struct wd_hook_spec WD_HOOK_SPECS[WD_HOOKS];

/* True when `mode` attaches it on this kernel. */
bool wd_hook_is_wanted(enum wd_hook hook, __u32 mode);

/* Where `mode` attaches it. */
const char *wd_hook_section(enum wd_hook hook, __u32 mode);

/* True for a mode that refuses, with the programs of the guard. */
bool wd_mode_guards(__u32 mode);

/* The kernel's BTF, read once; NULL when it has none. */
const struct btf *wd_kernel_btf(void);

/* "audit", "lsm"… */
const char *wd_mode_name(__u32 mode);

#endif /* WARDEN_HOOKS_H */
