/* SPDX-License-Identifier: Apache-2.0 */
/* The table of hooks. */
#include "hooks.h"

#include "cleanup.h"

#include <bpf/libbpf.h>

#define AUDIT (1U << WD_MODE_AUDIT)
#define LSM (1U << WD_MODE_LSM)

/* 6.9 gave the hook its program, complete; before, fentry/bpf_check is the first to have it. */
#define PROG_LOAD "bpf_lsm_bpf_prog_load"
#define PROG_FREE "bpf_lsm_bpf_prog_free"
#define MAP_FREE "bpf_lsm_bpf_map_free"
#define IOCTL_COMPAT "bpf_lsm_file_ioctl_compat"
#define LINK_FREE "bpf_link_free"

const struct wd_hook_spec WD_HOOK_SPECS[WD_HOOKS] = {
	[WD_HOOK_ENTER] = { "sys_enter", "tp_btf/sys_enter", AUDIT },
	[WD_HOOK_EXIT] = { "sys_exit", "tp_btf/sys_exit", AUDIT },
	[WD_HOOK_FORK] = { "on_fork", "tp_btf/sched_process_fork", AUDIT },
	[WD_HOOK_EXEC] = { "on_exec", "tp_btf/sched_process_exec", AUDIT },
	[WD_HOOK_GUARD_BPF] = { "guard_bpf", "lsm/bpf", LSM },
	[WD_HOOK_GUARD_BPF_EXIT] = { "guard_bpf_exit", "fexit/__sys_bpf", LSM },
	[WD_HOOK_GUARD_PROG_LOAD] = { "guard_prog_load", "lsm/bpf_prog_load", LSM,
				      .with = PROG_LOAD },
	[WD_HOOK_GUARD_PROG_CHECK] = { "guard_prog_check", "fentry/bpf_check", LSM,
				       .without = PROG_LOAD },
	[WD_HOOK_GUARD_PROG] = { "guard_prog", "lsm/bpf_prog", LSM },
	[WD_HOOK_GUARD_MAP] = { "guard_map", "lsm/bpf_map", LSM },
	[WD_HOOK_GUARD_PROG_FREE] = { "guard_prog_free", "lsm/bpf_prog_free", LSM,
				      .with = PROG_FREE },
	[WD_HOOK_GUARD_PROG_FREE_AUX] = { "guard_prog_free_aux", "lsm/bpf_prog_free_security",
					  LSM, .without = PROG_FREE },
	[WD_HOOK_GUARD_MAP_FREE] = { "guard_map_free", "lsm/bpf_map_free", LSM,
				     .with = MAP_FREE },
	[WD_HOOK_GUARD_MAP_FREE_OLD] = { "guard_map_free_old", "lsm/bpf_map_free_security", LSM,
					 .without = MAP_FREE },
	[WD_HOOK_GUARD_FORK] = { "guard_fork", "lsm/task_alloc", LSM },
	[WD_HOOK_GUARD_EXEC] = { "guard_exec", "lsm.s/bprm_committed_creds", LSM },
	[WD_HOOK_GUARD_SETUID] = { "guard_setuid", "lsm/task_fix_setuid", LSM },
	[WD_HOOK_GUARD_SETSOCKOPT] = { "guard_setsockopt", "lsm/socket_setsockopt", LSM },
	[WD_HOOK_GUARD_IOCTL] = { "guard_ioctl", "lsm/file_ioctl", LSM },
	[WD_HOOK_GUARD_IOCTL_COMPAT] = { "guard_ioctl_compat", "lsm/file_ioctl_compat", LSM,
				       .with = IOCTL_COMPAT },
	[WD_HOOK_GUARD_NETLINK] = { "guard_netlink", "lsm/netlink_send", LSM },
	[WD_HOOK_GUARD_RECEIVE] = { "guard_receive", "lsm/file_receive", LSM },
	[WD_HOOK_GUARD_MMAP] = { "guard_mmap", "lsm.s/mmap_file", LSM },
	[WD_HOOK_GUARD_MPROTECT] = { "guard_mprotect", "lsm/file_mprotect", LSM },
	[WD_HOOK_GUARD_PROG_GET_TYPE] = { "guard_prog_get_type", "fexit/bpf_prog_get_type_dev",
				       LSM },
	[WD_HOOK_GUARD_PROG_GET] = { "guard_prog_get", "fexit/bpf_prog_get", LSM },
	[WD_HOOK_GUARD_LINK] = { "guard_link", "fexit/bpf_link_prime", LSM },
	[WD_HOOK_GUARD_LINK_FREE] = { "guard_link_free", "fentry/bpf_link_free", LSM,
				     .with = LINK_FREE },
	[WD_HOOK_GUARD_SECCOMP] = { "guard_seccomp", "fentry/bpf_prog_create_from_user", LSM },
	[WD_HOOK_GUARD_OPEN] = { "guard_open", "lsm/file_open", LSM },
	[WD_HOOK_GUARD_UNLINK] = { "guard_unlink", "lsm/inode_unlink", LSM },
	[WD_HOOK_GUARD_RMDIR] = { "guard_rmdir", "lsm/inode_rmdir", LSM },
	[WD_HOOK_GUARD_RENAME] = { "guard_rename", "lsm/inode_rename", LSM },
	[WD_HOOK_GUARD_HARD_LINK] = { "guard_hard_link", "lsm/inode_link", LSM },
	[WD_HOOK_GUARD_SYMLINK] = { "guard_symlink", "lsm/inode_symlink", LSM },
	[WD_HOOK_GUARD_CREATE] = { "guard_create", "lsm/inode_create", LSM },
	[WD_HOOK_GUARD_MKDIR] = { "guard_mkdir", "lsm/inode_mkdir", LSM },
	[WD_HOOK_GUARD_MOUNT] = { "guard_mount", "lsm/sb_mount", LSM },
	[WD_HOOK_GUARD_UMOUNT] = { "guard_umount", "lsm/sb_umount", LSM },
	[WD_HOOK_GUARD_MOVE_MOUNT] = { "guard_move_mount", "lsm/move_mount", LSM },
	[WD_HOOK_GUARD_PTRACE] = { "guard_ptrace", "lsm/ptrace_access_check", LSM },
	[WD_HOOK_GUARD_CREDS] = { "guard_creds", "lsm/bprm_creds_for_exec", LSM },
	[WD_HOOK_GUARD_PINNING] = { "guard_pinning", "fentry/vfs_mkobj", LSM },
	[WD_HOOK_GUARD_RUN] = { "guard_run", "fentry/bpf_prog_test_run_syscall", LSM },
	[WD_HOOK_TASK_EXIT] = { "on_exit", "tp_btf/sched_process_exit", AUDIT | LSM },
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
