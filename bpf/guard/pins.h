/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Pins: files of any bpffs, and what else would take the guard away without bpf(2). What is in our
 * own bpffs is nobody's but ours.
 *
 *	lsm/file_open			a pinned map or iterator, or ftrace_enabled
 *	lsm/inode_unlink, _rmdir, _rename, _link, _symlink, _create, _mkdir, _mknod	in a bpffs
 *	lsm/inode_rmdir, _rename	of a directory that our bpffs hangs on
 *	lsm/ptrace_access_check		of our processes
 *	lsm/bprm_creds_for_exec		warden-load runs without LD_PRELOAD and its like
 */
#ifndef WARDEN_PINS_H
#define WARDEN_PINS_H

#include "mounts.h"

#define MAGIC_PROC 0x9fa0
#define TYPE_OF_FILE 0170000     /* S_IFMT */
#define TYPE_DIRECTORY 0040000   /* S_IFDIR */
#define MODE_ATTACH 2	       /* PTRACE_MODE_ATTACH: pidfd_getfd and /proc/PID/mem too */
#define EXEC_SECURE 1	       /* BPF_F_BPRM_SECUREEXEC */

/* True for the dentry of a directory that is there. */
static __always_inline bool is_directory(struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	return inode && (BPF_CORE_READ(inode, i_mode) & TYPE_OF_FILE) == TYPE_DIRECTORY;
}

static const char FTRACE_FILE[] = "ftrace_enabled";

static __always_inline bool is_bpffs(struct inode *inode)
{
	return inode->i_sb->s_magic == MAGIC_BPFFS;
}

/* The kind of what is pinned at an inode, when somebody whom we saw made it. */
static __always_inline __u32 kind_of_pinned(void *pinned)
{
	struct wd_made *made = made_of((__u64)pinned);
	__u64 aux = 0;

	if (made)
		return made->kind;
	bpf_probe_read_kernel(&aux, sizeof(aux),
			      pinned + bpf_core_field_offset(struct bpf_prog, aux));
	made = made_of(aux);
	return made && made->kind == WD_OBJECT_PROG ? WD_OBJECT_PROG : WD_OBJECT_NONE;
}

static __noinline int judge_pinned(struct wd_config *cfg, struct wd_open *open, void *pinned)
{
	struct wd_matter m = { .judged = WD_JUDGE(WD_DIM_OBJECT), .foreign = 1 };
	__u32 fmode = open->act.command == WD_PIN_OPEN ? MODE_READ : MODE_READ | MODE_WRITE;
	__u32 kind = kind_of_pinned(pinned);

	if (kind != WD_OBJECT_NONE)
		return judge_object(cfg, open, kind, pinned, fmode);
	/* Was there before us: nobody's, and so foreign to all. */
	wd_decide_act(open, wd_verdict(cfg, open->half, open->act.tier, open->grant, &m));
	return 0;
}

/*
 * An act on what `dentry` pins, in the bpffs that `dir` is in; `to` is the directory that it goes
 * to, or NULL. True when it is refused.
 */
static __noinline int refused_pin(__u32 command, struct inode *dir, struct dentry *dentry,
				  struct dentry *to)
{
	struct wd_config *cfg = active_config();
	const void *name = BPF_CORE_READ(dentry, d_name.name);
	void *pinned = BPF_CORE_READ(dentry, d_inode, i_private);
	struct wd_open *open;

	if (!cfg)
		return 0;
	if (cfg->own_device && BPF_CORE_READ(dir, i_sb, s_dev) == cfg->own_device)
		return tampers(cfg, command, WD_VIA_SYSCALL, name);
	if (command == WD_PIN_MAKE)
		return 0;
	open = begin_outside(cfg, command, WD_VIA_SYSCALL);
	if (!open)
		return 0;
	*(const void **)open->attr = name;
	if (pinned)
		judge_pinned(cfg, open, pinned);
	if (to)
		judge_crossing(cfg, open, BPF_CORE_READ(dentry, d_parent), to);
	return end_outside(cfg, open);
}

/*
 * kernel.ftrace_enabled, to be written: sysctl.h refuses the write itself, on a way that needs no
 * trampoline; here it is known who tried. Fails closed.
 */
static __noinline int refused_sysctl(struct file *file)
{
	struct wd_config *cfg = active_config();
	const void *name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	char read[sizeof(FTRACE_FILE)] = {};

	if (!cfg || bpf_probe_read_kernel_str(read, sizeof(read), name) != sizeof(read))
		return 0;
	for (__u32 i = 0; i < sizeof(read); i++)
		if (read[i] != FTRACE_FILE[i])
			return 0;
	return tampers(cfg, WD_SYSCTL, WD_VIA_SYSCALL, name);
}

/*
 * int vfs_mkobj(struct dentry *dentry, umode_t mode, int (*make)(...), void *object): a pin is to
 * be made, of an object that no fd can be exchanged for any more. Fails closed: a pin whose
 * object is not known is refused where a directory is for somebody.
 */
SEC("fentry/vfs_mkobj")
int guard_pinning(__u64 *ctx)
{
	struct wd_open *open = open_call_of(bpf_get_current_task_btf());
	__u64 object = 0;

	if (open && open->act.command == BPF_OBJ_PIN && active_config() &&
	    !bpf_get_func_arg(ctx, 3, &object))
		open->pinning = object;
	return 0;
}

/* A pin that a bpf(2) makes: what the directory is for. Recorded with the call. */
static __noinline int refused_new_pin(struct dentry *dentry)
{
	struct wd_open *open = open_call_of(bpf_get_current_task_btf());
	struct wd_config *cfg = active_config();
	struct wd_stats *all = wd_stats();

	if (!cfg || !all || !open || open->act.command != BPF_OBJ_PIN)
		return 0;
	judge_new_pin(cfg, open, BPF_CORE_READ(dentry, d_parent),
		      open->pinning ? kind_of_pinned((void *)open->pinning) : WD_OBJECT_NONE);
	return refuse_decided(cfg, all, open);
}

/* Fails open without memory, but for our own. Directories hold nothing that is pinned. */
SEC("lsm/file_open")
int BPF_PROG(guard_open, struct file *file)
{
	struct inode *inode = file->f_inode;
	unsigned long magic = inode->i_sb->s_magic;

	if (magic == MAGIC_PROC && BPF_CORE_READ(file, f_mode) & MODE_WRITE)
		return refusal(refused_sysctl(file));
	if (magic != MAGIC_BPFFS || !BPF_CORE_READ(inode, i_private))
		return 0;
	return refusal(refused_pin(WD_PIN_OPEN, inode, BPF_CORE_READ(file, f_path.dentry), NULL));
}

/* These fail open without memory, but for our own. */
SEC("lsm/inode_unlink")
int BPF_PROG(guard_unlink, struct inode *dir, struct dentry *dentry)
{
	return is_bpffs(dir) ? refusal(refused_pin(WD_PIN_UNLINK, dir, dentry, NULL)) : 0;
}

SEC("lsm/inode_rmdir")
int BPF_PROG(guard_rmdir, struct inode *dir, struct dentry *dentry)
{
	if (is_bpffs(dir))
		return refusal(refused_pin(WD_PIN_UNLINK, dir, dentry, NULL));
	return refusal(refused_point(dentry));
}

SEC("lsm/inode_rename")
int BPF_PROG(guard_rename, struct inode *dir, struct dentry *dentry, struct inode *to_dir,
	     struct dentry *to)
{
	if (is_bpffs(dir))
		return refusal(refused_pin(WD_PIN_RENAME, dir, dentry,
					   BPF_CORE_READ(to, d_parent)));
	return refusal((is_directory(dentry) && refused_point(dentry)) ||
		       (is_directory(to) && refused_point(to)));
}

SEC("lsm/inode_link")
int BPF_PROG(guard_hard_link, struct dentry *dentry, struct inode *dir, struct dentry *to)
{
	if (!is_bpffs(dir))
		return 0;
	return refusal(refused_pin(WD_PIN_LINK, dir, dentry, BPF_CORE_READ(to, d_parent)));
}

SEC("lsm/inode_symlink")
int BPF_PROG(guard_symlink, struct inode *dir, struct dentry *dentry)
{
	return is_bpffs(dir) ? refusal(refused_pin(WD_PIN_MAKE, dir, dentry, NULL)) : 0;
}

SEC("lsm/inode_create")
int BPF_PROG(guard_create, struct inode *dir, struct dentry *dentry)
{
	if (!is_bpffs(dir))
		return 0;
	return refusal(refused_pin(WD_PIN_MAKE, dir, dentry, NULL) || refused_new_pin(dentry));
}

SEC("lsm/inode_mkdir")
int BPF_PROG(guard_mkdir, struct inode *dir, struct dentry *dentry)
{
	return is_bpffs(dir) ? refusal(refused_pin(WD_PIN_MAKE, dir, dentry, NULL)) : 0;
}

/* An agent whose objects are protected is itself what has to run. */
static __always_inline bool is_protected_loader(const struct wd_config *cfg,
						const struct wd_exe_key *exe)
{
	__u64 half = wd_bounded(cfg->half, WD_POLICY_HALVES);
	struct wd_loader_half *loader = wd_loader_of(exe, half);

	return loader && is_listed(cfg->policy[half].adopted, WD_MAX_ADOPTED, loader->index);
}

/* True for a process of ours, and for one that runs as an agent whose objects are protected. */
static __always_inline bool is_guarded(const struct wd_config *cfg, struct task_struct *task)
{
	struct wd_task *store = bpf_task_storage_get(&tasks, task, 0, 0);

	if (!store)
		return false;
	return store->role != WD_ROLE_NONE ||
	       (store->label != WD_LABEL_CALL && is_protected_loader(cfg, &store->exe));
}

/* A process of ours may trace its like, and so may an agent that runs no code of others. */
static __always_inline bool is_its_like(struct task_struct *child)
{
	struct wd_task *own = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0, 0);
	struct wd_task *other = bpf_task_storage_get(&tasks, child, 0, 0);

	if (!own || !other)
		return false;
	if (own->role != WD_ROLE_NONE)
		return true;
	return other->role == WD_ROLE_NONE && own->label != WD_LABEL_CALL && !own->mixed &&
	       wd_same_exe(&own->exe, &other->exe);
}

/*
 * Fails closed. To look at these processes is nobody's harm; to change them is to be them. Children
 * of an agent are the agent.
 */
SEC("lsm/ptrace_access_check")
int BPF_PROG(guard_ptrace, struct task_struct *child, unsigned int mode)
{
	struct wd_config *cfg;

	if (!(mode & MODE_ATTACH))
		return 0;
	cfg = active_config();
	if (!cfg || !is_guarded(cfg, child) || is_its_like(child))
		return 0;
	return refusal(tampers(cfg, WD_PTRACE, WD_VIA_SYSCALL, child->comm));
}

/*
 * The dynamic linker of what runs as ours, or as an agent that the policy protects, loads nothing
 * that the environment names; an agent's where the policy enforces. Fails closed: the helper can't
 * fail on a flag that it knows.
 */
SEC("lsm/bprm_creds_for_exec")
int BPF_PROG(guard_creds, struct linux_binprm *bprm)
{
	struct wd_config *cfg = active_config();
	struct wd_exe_key exe = {};

	if (!cfg)
		return 0;
	wd_exe_key(bprm->file, &exe);
	if (wd_is_self(&exe) ||
	    (wd_policy(cfg)->protect == WD_PROTECT_ENFORCE && is_protected_loader(cfg, &exe)))
		bpf_bprm_opts_set(bprm, EXEC_SECURE);
	return 0;
}

#endif /* WARDEN_PINS_H */
