/* SPDX-License-Identifier: Apache-2.0 */
/* The table of hooks. */
#include "hooks.h"

#include "cleanup.h"

#include <bpf/libbpf.h>

#define AUDIT (1U << WD_MODE_AUDIT | 1U << WD_MODE_SIGNAL)
#define LSM (1U << WD_MODE_LSM)
#define GUARD (LSM | 1U << WD_MODE_FMOD_RET)

/*
 * Hooks of BPF LSM. Where the kernel does not ask it, the same programs go on the function that
 * asks all LSMs, which has the hook's arguments and says no for them; what returns nothing can only
 * be seen.
 */
#define ON_LSM(hook) "lsm/" hook, GUARD, .instead = "fmod_ret/security_" hook
#define SEES_LSM(hook, function) "lsm" hook, GUARD, .instead = "fentry/security_" function

/* 6.9 gave the hook its program, complete; before, fentry/bpf_check is the first to have it. */
#define PROG_LOAD "security_bpf_prog_load"
/* It then gave these the object itself, under other names. */
#define OBJECT_FREE PROG_LOAD
#define IOCTL_COMPAT "security_file_ioctl_compat"
#define LINK_FREE "bpf_link_free"

const struct wd_hook_spec WD_HOOK_SPECS[WD_HOOKS] = {
	[WD_HOOK_ENTER] = { "sys_enter", "tp_btf/sys_enter", AUDIT },
	[WD_HOOK_EXIT] = { "sys_exit", "tp_btf/sys_exit", AUDIT },
	[WD_HOOK_FORK] = { "on_fork", "tp_btf/sched_process_fork", AUDIT },
	[WD_HOOK_EXEC] = { "on_exec", "tp_btf/sched_process_exec", AUDIT },
	[WD_HOOK_GUARD_BPF] = { "guard_bpf", ON_LSM("bpf") },
	[WD_HOOK_GUARD_BPF_EXIT] = { "guard_bpf_exit", "fexit/__sys_bpf", GUARD },
	[WD_HOOK_GUARD_PROG_LOAD] = { "guard_prog_load", ON_LSM("bpf_prog_load"),
				      .with = PROG_LOAD },
	[WD_HOOK_GUARD_PROG_CHECK] = { "guard_prog_check", "fentry/bpf_check", GUARD,
				       .without = PROG_LOAD },
	[WD_HOOK_GUARD_PROG] = { "guard_prog", ON_LSM("bpf_prog") },
	[WD_HOOK_GUARD_MAP] = { "guard_map", ON_LSM("bpf_map") },
	[WD_HOOK_GUARD_PROG_FREE] = { "guard_prog_free",
				      SEES_LSM("/bpf_prog_free", "bpf_prog_free"),
				      .with = OBJECT_FREE },
	[WD_HOOK_GUARD_PROG_FREE_AUX] = { "guard_prog_free_aux",
					  SEES_LSM("/bpf_prog_free_security", "bpf_prog_free"),
					  .without = OBJECT_FREE },
	[WD_HOOK_GUARD_MAP_FREE] = { "guard_map_free", SEES_LSM("/bpf_map_free", "bpf_map_free"),
				     .with = OBJECT_FREE },
	[WD_HOOK_GUARD_MAP_FREE_OLD] = { "guard_map_free_old",
					 SEES_LSM("/bpf_map_free_security", "bpf_map_free"),
					 .without = OBJECT_FREE },
	[WD_HOOK_GUARD_FORK] = { "guard_fork", ON_LSM("task_alloc") },
	[WD_HOOK_GUARD_EXEC] = { "guard_exec", SEES_LSM(".s/bprm_committed_creds",
							"bprm_committed_creds") },
	[WD_HOOK_GUARD_SETUID] = { "guard_setuid", ON_LSM("task_fix_setuid") },
	[WD_HOOK_GUARD_SETSOCKOPT] = { "guard_setsockopt", ON_LSM("socket_setsockopt") },
	[WD_HOOK_GUARD_IOCTL] = { "guard_ioctl", ON_LSM("file_ioctl") },
	[WD_HOOK_GUARD_IOCTL_COMPAT] = { "guard_ioctl_compat", ON_LSM("file_ioctl_compat"),
					 .with = IOCTL_COMPAT },
	[WD_HOOK_GUARD_NETLINK] = { "guard_netlink", ON_LSM("netlink_send") },
	[WD_HOOK_GUARD_RECEIVE] = { "guard_receive", ON_LSM("file_receive") },
	[WD_HOOK_GUARD_MMAP] = { "guard_mmap", "lsm.s/mmap_file", GUARD,
				 .instead = "fmod_ret/security_mmap_file" },
	[WD_HOOK_GUARD_MPROTECT] = { "guard_mprotect", ON_LSM("file_mprotect") },
	[WD_HOOK_GUARD_PROG_GET_TYPE] = { "guard_prog_get_type", "fexit/bpf_prog_get_type_dev",
					  GUARD },
	[WD_HOOK_GUARD_PROG_GET] = { "guard_prog_get", "fexit/bpf_prog_get", GUARD },
	[WD_HOOK_GUARD_LINK] = { "guard_link", "fexit/bpf_link_prime", GUARD },
	[WD_HOOK_GUARD_LINK_FREE] = { "guard_link_free", "fentry/bpf_link_free", GUARD,
				      .with = LINK_FREE },
	[WD_HOOK_GUARD_SECCOMP] = { "guard_seccomp", "fentry/bpf_prog_create_from_user", GUARD },
	[WD_HOOK_GUARD_OPEN] = { "guard_open", ON_LSM("file_open") },
	[WD_HOOK_GUARD_UNLINK] = { "guard_unlink", ON_LSM("inode_unlink") },
	[WD_HOOK_GUARD_RMDIR] = { "guard_rmdir", ON_LSM("inode_rmdir") },
	[WD_HOOK_GUARD_RENAME] = { "guard_rename", ON_LSM("inode_rename") },
	[WD_HOOK_GUARD_HARD_LINK] = { "guard_hard_link", ON_LSM("inode_link") },
	[WD_HOOK_GUARD_SYMLINK] = { "guard_symlink", ON_LSM("inode_symlink") },
	[WD_HOOK_GUARD_CREATE] = { "guard_create", ON_LSM("inode_create") },
	[WD_HOOK_GUARD_MKDIR] = { "guard_mkdir", ON_LSM("inode_mkdir") },
	[WD_HOOK_GUARD_MOUNT] = { "guard_mount", ON_LSM("sb_mount") },
	[WD_HOOK_GUARD_UMOUNT] = { "guard_umount", ON_LSM("sb_umount") },
	[WD_HOOK_GUARD_MOVE_MOUNT] = { "guard_move_mount", ON_LSM("move_mount") },
	[WD_HOOK_GUARD_PTRACE] = { "guard_ptrace", ON_LSM("ptrace_access_check") },
	/* All that it does is by a helper that only programs of BPF LSM have. */
	[WD_HOOK_GUARD_CREDS] = { "guard_creds", "lsm/bprm_creds_for_exec", LSM },
	[WD_HOOK_GUARD_PINNING] = { "guard_pinning", "fentry/vfs_mkobj", GUARD },
	[WD_HOOK_GUARD_RUN] = { "guard_run", "fentry/bpf_prog_test_run_syscall", GUARD },
	[WD_HOOK_TASK_EXIT] = { "on_exit", "tp_btf/sched_process_exit", AUDIT | GUARD },
};

const struct btf *wd_kernel_btf(void)
{
	static struct btf *kernel;
	static bool tried;

	if (!tried)
		kernel = btf__load_vmlinux_btf();
	tried = true;
	return kernel;
}

static bool kernel_has(const char *function)
{
	const struct btf *kernel = wd_kernel_btf();

	return kernel && btf__find_by_name_kind(kernel, function, BTF_KIND_FUNC) > 0;
}

bool wd_hook_is_wanted(enum wd_hook hook, __u32 mode)
{
	const struct wd_hook_spec *spec = &WD_HOOK_SPECS[hook];

	return spec->modes >> mode & 1 && (!spec->with || kernel_has(spec->with)) &&
	       (!spec->without || !kernel_has(spec->without));
}

const char *wd_hook_section(enum wd_hook hook, __u32 mode)
{
	const struct wd_hook_spec *spec = &WD_HOOK_SPECS[hook];

	return mode == WD_MODE_FMOD_RET && spec->instead ? spec->instead : spec->section;
}

bool wd_mode_guards(__u32 mode)
{
	return GUARD >> mode & 1;
}

const char *wd_mode_name(__u32 mode)
{
	static const char *const names[] = {
		[WD_MODE_AUDIT] = "audit",
		[WD_MODE_SIGNAL] = "signal",
		[WD_MODE_FMOD_RET] = "fmod_ret",
		[WD_MODE_LSM] = "lsm",
	};

	return mode < WD_COUNT(names) && names[mode] ? names[mode] : "unknown";
}
