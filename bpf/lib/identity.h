/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Who acts: the executable by its label, the loader it is in the policy, the login uid if it
 * counts, and from these the subject and its tier.
 *
 * An unset loginuid may be written by any process, so one counts only if it was written while the
 * task carried the label of a `login` loader. We look at each fork, exec and bpf call of such a
 * task; an auid that it had when the label began does not count by that.
 *
 * Fail closed: a task without a label is of no loader, whatever /proc says its executable is.
 */
#ifndef WARDEN_IDENTITY_H
#define WARDEN_IDENTITY_H

#include "exe.h"
#include "maps.h"
#include "tier.h"

struct wd_who {
	struct wd_subject subject;
	struct wd_exe_key exe;
	__u32 loader;
	__u32 kind;
	__u32 grant;
	__u32 floor;	       /* of the loader, where it is the subject */
	struct wd_tier_now tier;
	__u32 uid;
	__u32 auid;
	__u32 flags;	       /* enum wd_act_flag */
	__u32 exe_flags;       /* enum wd_exe_flag */
	__u32 label;
	__u32 runtime;	       /* that started it; 0: none */
};

static __always_inline bool wd_holds(__u32 index, __u64 until_boot_ns)
{
	return index && (!until_boot_ns || until_boot_ns > bpf_ktime_get_boot_ns());
}

static __always_inline struct wd_loader_half *wd_loader_of(const struct wd_exe_key *exe,
							    __u32 half)
{
	struct wd_loader *loader = bpf_map_lookup_elem(&loaders, exe);
	struct wd_loader_half *in_force;

	if (!loader)
		return NULL;
	in_force = &loader->half[wd_bounded(half, WD_POLICY_HALVES)];
	return wd_holds(in_force->index, in_force->until_boot_ns) ? in_force : NULL;
}

static __always_inline __u32 wd_auid(struct task_struct *task)
{
	if (!bpf_core_field_exists(task->loginuid))
		return WD_NO_ID;
	return task->loginuid.val;
}

static __always_inline struct file *wd_exe_file(struct task_struct *task)
{
	return task->mm->exe_file;
}

/*
 * Lets the task's auid count from now on, if a login loader has written it: a login makes a new
 * person of the task, who carries nothing of what it was before. If anybody else wrote over an auid
 * that counted, the task goes on carrying that one.
 */
static __noinline void wd_vouch(struct task_struct *task, struct wd_task *store,
				const struct wd_policy_half *policy, __u32 half)
{
	struct wd_subject before = { .kind = WD_SUBJECT_AUID };
	struct wd_loader_half *loader;
	__u32 auid = wd_auid(task);

	if (store->vouched_auid == auid + 1)
		return;
	loader = auid == WD_NO_ID || store->base_auid == auid + 1 ? NULL :
								    wd_loader_of(&store->exe, half);
	if (loader && loader->kind == WD_LOADER_LOGIN) {
		store->vouched_auid = auid + 1;
		store->carried_count = 0;
		return;
	}
	if (!store->vouched_auid)
		return;
	before.id = store->vouched_auid - 1;
	if (wd_is_lowered(&before, policy->default_tier))
		wd_carry(store, &before, policy->default_tier);
}

static __always_inline void wd_identify_exe(struct task_struct *task, struct wd_task *store,
					    struct wd_who *who)
{
	struct file *file = wd_exe_file(task);

	if (file)
		wd_exe_key(file, &who->exe);
	if (!store || store->label == WD_LABEL_CALL)
		return;
	who->runtime = store->runtime;
	if (!wd_same_exe(&who->exe, &store->exe))
		who->exe_flags |= WD_EXE_CHANGED;
	who->exe = store->exe;
	who->label = store->label;
}

static __always_inline void wd_identify_auid(struct task_struct *task, struct wd_task *store,
					     const struct wd_policy_half *policy, __u32 half,
					     struct wd_who *who)
{
	who->auid = wd_auid(task);
	if (store)
		wd_vouch(task, store, policy, half);
	if (who->auid == WD_NO_ID)
		return;
	if (store && store->vouched_auid == who->auid + 1)
		who->flags |= WD_ACT_AUID_COUNTS;
	else
		who->flags |= WD_ACT_AUID_CLAIMED;
}

static __always_inline void wd_choose_subject(struct wd_who *who)
{
	if (who->flags & WD_ACT_AUID_COUNTS) {
		who->subject.kind = WD_SUBJECT_AUID;
		who->subject.id = who->auid;
		return;
	}
	if (who->kind == WD_LOADER_AGENT) {
		who->subject.kind = WD_SUBJECT_LOADER;
		who->subject.id = who->loader;
		return;
	}
	who->subject.kind = WD_SUBJECT_UID;
	who->subject.id = who->uid;
}

/*
 * False when the policy names the content of the loader's file and what was executed had another.
 * A task without a digest (no IMA in this kernel, or labelled when it already ran) is the loader by
 * its inode alone: weak, and visible, because its records have no exe_digest.
 */
static __always_inline bool wd_same_content(const struct wd_loader_half *loader,
					    const struct wd_task *store)
{
	const __u32 *want = (const __u32 *)loader->digest;
	const __u32 *have = (const __u32 *)store->digest;
	__u32 differs = 0;

	if (!loader->has_digest || !store->has_digest)
		return true;
	for (__u32 i = 0; i < WD_DIGEST_LEN / sizeof(__u32); i++)
		differs |= want[i] ^ have[i];
	return differs == 0;
}

/* The loader that a labelled task is. */
static __always_inline struct wd_loader_half *wd_labelled_loader(const struct wd_task *store,
								 __u32 half, struct wd_who *who)
{
	struct wd_loader_half *loader;

	/* Fail closed: what runs now is not what was labelled, so it is nobody we know. */
	if (!store || who->label == WD_LABEL_CALL || (who->exe_flags & WD_EXE_CHANGED))
		return NULL;
	loader = wd_loader_of(&store->exe, half);
	if (!loader || (wd_same_content(loader, store) &&
			!((loader->listed | loader->has_digest) && store->mixed)))
		return loader;
	who->exe_flags |= WD_EXE_CHANGED;
	return NULL;
}

/* Not of the credentials that io_uring, for one, lends to a task. */
static __always_inline __u32 wd_uid(struct task_struct *task)
{
	return BPF_CORE_READ(task, real_cred, uid.val);
}

/* Fills a zeroed `who`; `task` is the current one. */
static __always_inline void wd_identify(struct task_struct *task, struct wd_task *store,
					const struct wd_policy_half *policy, __u32 half,
					__u32 command, struct wd_who *who)
{
	struct wd_loader_half *loader;

	who->uid = wd_uid(task);
	wd_identify_exe(task, store, who);
	loader = wd_labelled_loader(store, half, who);
	who->loader = loader ? loader->index : 0;
	who->kind = loader ? loader->kind : 0;
	who->grant = loader ? loader->grant : policy->unknown_grant;
	wd_identify_auid(task, store, policy, half, who);
	wd_choose_subject(who);
	who->floor = loader && who->subject.kind == WD_SUBJECT_LOADER ? loader->floor :
									WD_TIER_DENIED;
	wd_effective_tier(&who->subject, store, who->floor, command, who->kind, &who->tier);
	if (who->tier.observed)
		who->flags |= WD_ACT_OBSERVED;
}

/* A task without any of these needs no storage, and its children none. */
static __always_inline bool wd_needs_storage(const struct wd_task *store)
{
	return store->role != WD_ROLE_NONE || store->vouched_auid != 0 ||
	       store->carried_count != 0 || store->runtime != 0;
}

static __always_inline struct wd_task *wd_make_storage(struct task_struct *task,
						       struct wd_task *value)
{
	struct wd_task *store;

	store = bpf_task_storage_get(&tasks, task, value, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!store)
		wd_count_error(WD_ERR_TASK_STORAGE);
	return store;
}

static __always_inline void wd_on_fork(struct task_struct *parent, struct task_struct *child,
				       const struct wd_policy_half *policy, __u32 half)
{
	struct wd_task *store = bpf_task_storage_get(&tasks, parent, 0, 0);

	if (!store)
		return;
	wd_vouch(parent, store, policy, half);
	wd_make_storage(child, store);
}

/*
 * The subject by what the storage says, for a task that is about to become another. Returns the
 * number of the runtime that it is, or 0.
 */
static __always_inline __u32 wd_subject_by_label(struct task_struct *task, struct wd_task *store,
						 __u32 half, struct wd_subject *ret_subject)
{
	struct wd_who who = { .label = store ? store->label : WD_LABEL_CALL };
	struct wd_loader_half *loader = wd_labelled_loader(store, half, &who);
	__u32 auid = wd_auid(task);

	who.loader = loader ? loader->index : 0;
	who.kind = loader ? loader->kind : 0;
	who.uid = wd_uid(task);
	who.auid = auid;
	if (store && auid != WD_NO_ID && store->vouched_auid == auid + 1)
		who.flags = WD_ACT_AUID_COUNTS;
	wd_choose_subject(&who);
	*ret_subject = who.subject;
	return who.kind == WD_LOADER_RUNTIME ? who.loader : 0;
}

/*
 * The real uid is about to change, and with it the subject of a task that is known by it. Fail
 * open, and counted, when there is no memory to remember that in.
 */
static __always_inline void wd_on_setuid(struct task_struct *task,
					 const struct wd_policy_half *policy, __u32 half)
{
	struct wd_task *store = bpf_task_storage_get(&tasks, task, 0, 0);
	struct wd_subject before = {};

	if (store)
		wd_vouch(task, store, policy, half);
	wd_subject_by_label(task, store, half, &before);
	if (before.kind != WD_SUBJECT_UID || !wd_is_lowered(&before, policy->default_tier))
		return;
	if (!store)
		store = wd_make_storage(task, NULL);
	if (store)
		wd_carry(store, &before, policy->default_tier);
}

/* True when `subject`, which the task was before its exec, is one to carry on. */
static __always_inline bool wd_is_left_behind(struct task_struct *task, struct wd_task *store,
					      const struct wd_subject *before, bool was_lowered,
					      __u32 half)
{
	struct wd_subject after = {};

	wd_subject_by_label(task, store, half, &after);
	return was_lowered && (after.kind != before->kind || after.id != before->id);
}

/* PROC_TIME_INIT_INO */
#define WD_INIT_TIME_NS 0xEFFFFFFA

/* True for a task that somebody could make do as they like, answer for, or show another time. */
static __always_inline bool wd_is_deceived(struct task_struct *task)
{
	struct time_namespace *time_ns = BPF_CORE_READ(task, nsproxy, time_ns);

	if (task->ptrace)
		return true;
	if (bpf_core_field_exists(task->seccomp.mode) && BPF_CORE_READ(task, seccomp.mode))
		return true;
	return time_ns && BPF_CORE_READ(time_ns, ns.inum) != WD_INIT_TIME_NS;
}

/*
 * warden-load itself, run by root: its own use of BPF is no act, and never refused. Not under a
 * tracer or a filter of system calls, whose owner would do as it likes in our name.
 */
static __always_inline bool wd_is_self(const struct wd_exe_key *exe)
{
	struct wd_config *cfg = wd_config();

	return cfg && cfg->self.inode && wd_same_exe(exe, &cfg->self) &&
	       (__u32)bpf_get_current_uid_gid() == 0 &&
	       !wd_is_deceived(bpf_get_current_task_btf());
}

/*
 * Labels a task by the file that it just executed; returns its storage if it is a listed loader, or
 * warden-load: what else must be known of either is for the caller to find out.
 */
static __always_inline struct wd_task *wd_on_exec(struct task_struct *task, struct file *file,
						  const struct wd_policy_half *policy, __u32 half)
{
	struct wd_task *store = bpf_task_storage_get(&tasks, task, 0, 0);
	struct wd_subject before = {};
	struct wd_loader_half *loader;
	struct wd_exe_key exe = {};
	__u32 auid = wd_auid(task), runtime;
	bool lowered = false, self;

	wd_exe_key(file, &exe);
	self = wd_is_self(&exe);
	/* Who traces it from its first instruction on is what acts. */
	if (task->ptrace)
		exe = (struct wd_exe_key){};
	loader = wd_loader_of(&exe, half);
	/* It may start what it likes under another directory, and that is none of ours. */
	if (store && !self && (store->role & WD_ROLE_KINDS) == WD_ROLE_LOAD)
		store->role = WD_ROLE_NONE;
	if (store)
		wd_vouch(task, store, policy, half);
	if (!loader && !store && !self)
		return NULL;
	runtime = wd_subject_by_label(task, store, half, &before);
	if (store && runtime)
		store->runtime = runtime;
	lowered = wd_is_lowered(&before, policy->default_tier);
	if (!loader && !lowered && !self && !wd_needs_storage(store)) {
		bpf_task_storage_delete(&tasks, task);
		return NULL;
	}
	if (!store)
		store = wd_make_storage(task, NULL);
	if (!store)
		return NULL;
	store->exe = exe;
	store->label = task->ptrace ? WD_LABEL_CALL : WD_LABEL_EXEC;
	store->has_digest = 0;
	store->mixed = !loader;
	if (self)
		store->role = WD_ROLE_LOAD;
	store->base_auid = store->vouched_auid == auid + 1 ? 0 : auid + 1;
	if (wd_is_left_behind(task, store, &before, lowered, half))
		wd_carry(store, &before, policy->default_tier);
	return loader || self ? store : NULL;
}

/* A task that was there before us: label and auid are taken on trust, and marked so. */
static __always_inline void wd_on_baseline(struct task_struct *task, __u32 mode, __u32 half)
{
	struct wd_task *store = bpf_task_storage_get(&tasks, task, 0, 0);
	struct file *file = wd_exe_file(task);
	struct wd_loader_half *loader;
	struct wd_exe_key exe = {};
	__u32 auid = wd_auid(task);

	if (!file || (mode == WD_BASELINE_FRESH && store))
		return;
	wd_exe_key(file, &exe);
	loader = wd_loader_of(&exe, half);
	if (mode == WD_BASELINE_FRESH && !(loader && loader->fresh))
		return;
	if (!loader && auid == WD_NO_ID)
		return;
	if (!store)
		store = wd_make_storage(task, NULL);
	if (!store)
		return;
	if (mode == WD_BASELINE_FIRST)
		store->vouched_auid = auid + 1;
	else
		store->base_auid = auid + 1;
	if (store->label != WD_LABEL_CALL)
		return;
	store->exe = exe;
	store->label = WD_LABEL_BASELINE;
}

#endif /* WARDEN_IDENTITY_H */
