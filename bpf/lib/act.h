/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* An act from its begin to the record or the counter that it ends in. */
#ifndef WARDEN_ACT_H
#define WARDEN_ACT_H

#include "attr.h"
#include "counter.h"
#include "decide.h"
#include "identity.h"
#include "object.h"
#include "path.h"
#include "ring.h"

#define WD_CAP_SYS_ADMIN 21
#define WD_CAP_BPF 39

static __always_inline struct wd_policy_half *wd_policy(struct wd_config *cfg)
{
	return &cfg->policy[wd_bounded(cfg->half, WD_POLICY_HALVES)];
}

/* Fail closed: a grant that is not there grants nothing. */
static __always_inline void wd_grant(__u32 half, __u32 index, struct wd_grant *ret_grant)
{
	__u32 key = half * WD_MAX_GRANTS + index;
	struct wd_grant *grant = NULL;

	if (index < WD_MAX_GRANTS)
		grant = bpf_map_lookup_elem(&grants, &key);
	if (grant)
		*ret_grant = *grant;
}

static __always_inline void wd_judge(struct wd_open *open, struct wd_config *cfg,
				     const struct wd_who *who)
{
	struct wd_decide_case c = {
		.command = open->act.command,
		.judged = wd_judged(open),
		.prog_type = open->act.claim.type,
		.map_type = open->act.claim.type,
	};
	__u32 tier = wd_bounded(who->tier, WD_TIER_TRUSTED + 1);

	wd_grant(cfg->half, wd_policy(cfg)->tier_grant[tier], &c.tier);
	wd_grant(cfg->half, who->grant, &c.loader);
	open->act.rule = wd_decide(&c);
	open->act.decision = open->act.rule == WD_RULE_NONE ? WD_ALLOW : WD_WOULD_DENY;
	open->act.tier = tier;
}

static __always_inline void wd_take_who(struct wd_act *act, const struct wd_who *who)
{
	act->subject = who->subject;
	act->exe = who->exe;
	act->auid = who->auid;
	act->loader = who->loader;
	act->label = who->label;
	act->flags |= who->flags;
	act->exe_flags |= who->exe_flags;
}

static __always_inline struct wd_open *wd_open_call(struct task_struct *task)
{
	struct wd_open *open;

	open = bpf_task_storage_get(&calls, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!open)
		wd_count_error(WD_ERR_TASK_STORAGE);
	return open;
}

/* False for the end of another call than the open one, whose own end was then missed. */
static __always_inline bool wd_is_open_call(const struct wd_open *open, const struct wd_call *call)
{
	return open->act.command == call->command && open->attr_address == call->attr &&
	       open->act.attr_size == call->attr_size;
}

/* The begin of a call: who, what by their own account, and the decision. */
static __noinline void wd_begin(struct wd_config *cfg, struct wd_stats *all,
				struct wd_open *open, const struct wd_call *call, __u32 flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 id = bpf_get_current_pid_tgid();
	struct wd_who who = {};

	__builtin_memset(&open->act, 0, sizeof(open->act));
	open->active = 1;
	open->attr_address = call->attr;
	open->act.head.boot_ns = bpf_ktime_get_boot_ns();
	open->act.command = call->command;
	open->act.attr_size = call->attr_size;
	open->act.pid = id >> 32;
	open->act.tid = (__u32)id;
	open->act.uid = (__u32)bpf_get_current_uid_gid();
	open->act.flags = flags | (call->compat ? WD_ACT_COMPAT : 0);
	wd_read_attr(open);
	wd_fill_claim(open);
	wd_identify(task, bpf_task_storage_get(&tasks, task, 0, 0), wd_policy(cfg), cfg->half,
		    &who);
	wd_take_who(&open->act, &who);
	wd_judge(open, cfg, &who);
	wd_add(&all->acts, 1);
	wd_add(&all->open, 1);
}

static __always_inline void wd_fill_credentials(struct task_struct *task, struct wd_act *act)
{
	const struct cred *cred = BPF_CORE_READ(task, cred);
	__u64 capabilities = 0;
	bool initial;

	act->euid = BPF_CORE_READ(cred, euid.val);
	act->userns = BPF_CORE_READ(cred, user_ns, ns.inum);
	initial = BPF_CORE_READ(cred, user_ns, level) == 0;
	bpf_core_read(&capabilities, sizeof(capabilities), &cred->cap_effective);
	if (!initial)
		act->flags |= WD_ACT_USERNS;
	if (initial && capabilities >> WD_CAP_SYS_ADMIN & 1)
		act->flags |= WD_ACT_CAP_SYS_ADMIN;
	if (initial && capabilities >> WD_CAP_BPF & 1)
		act->flags |= WD_ACT_CAP_BPF;
}

static __always_inline void wd_fill_process(struct task_struct *task, struct wd_act *act)
{
	struct file *file = wd_exe_file(task);

	bpf_get_current_comm(act->comm, sizeof(act->comm));
	act->ppid = BPF_CORE_READ(task, real_parent, tgid);
	act->session = bpf_core_field_exists(task->sessionid) ? BPF_CORE_READ(task, sessionid) :
								WD_NO_ID;
	act->mntns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	act->cgroup_id = bpf_get_current_cgroup_id();
	wd_fill_credentials(task, act);
	if (!file) {
		act->exe_flags |= WD_EXE_NONE;
		return;
	}
	act->exe_flags |= wd_exe_flags(file);
	act->exe_uid = BPF_CORE_READ(file, f_inode, i_uid.val);
}

/* Writes path, cgroup and text behind the act; returns the record's size. */
static __always_inline __u32 wd_fill_tail(struct task_struct *task, struct wd_open *open)
{
	struct wd_names names = { .tail = open->tail, .end = WD_PATH_MAX };
	struct file *file = wd_exe_file(task);
	__u32 at;
	long len;

	if (file)
		open->act.path_len = wd_put_file_path(&names, file);
	if (names.truncated)
		open->act.exe_flags |= WD_EXE_PATH_TRUNCATED;
	names.at = open->act.path_len;
	names.end = names.at + WD_CGROUP_MAX;
	open->act.cgroup_len = wd_put_cgroup(&names, BPF_CORE_READ(task, cgroups, dfl_cgrp, kn));
	at = open->act.path_len + open->act.cgroup_len;
	if (!wd_names_text(open->act.command) || at > WD_PATH_MAX + WD_CGROUP_MAX)
		return sizeof(open->act) + at;
	len = bpf_probe_read_user_str(open->tail + at, WD_TEXT_MAX, *(void **)open->attr);
	return sizeof(open->act) + at + (len > 0 ? len : 0);
}

static __noinline void wd_record(struct wd_config *cfg, struct wd_open *open, __u32 ring)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 size;

	if (!wd_admits(ring, &open->act.subject, wd_policy(cfg)->bulk_rate))
		return;
	wd_fill_process(task, &open->act);
	size = wd_fill_tail(task, open);
	if (size > sizeof(open->act) + sizeof(open->tail))
		return wd_count_lost(ring);
	wd_send(ring, &open->act, size);
}

/* The file of the object that the call returned, or else works on; NULL when there is none. */
static __always_inline struct file *wd_object_file(struct wd_open *open)
{
	__u32 fd, offset;

	if (open->act.result >= 0 && wd_returns_object(open->act.command)) {
		fd = open->act.result;
	} else {
		offset = wd_fd_offset(open->act.command);
		if (offset > sizeof(open->attr) - sizeof(__u32))
			return NULL;
		fd = wd_attr_u32(open, offset);
	}
	return wd_file_of(bpf_get_current_task_btf(), fd);
}

/* Counts the call; true when that was all there is to do. */
static __always_inline bool wd_end_counted(struct wd_stats *all, struct wd_open *open,
					   struct file *file)
{
	struct wd_act *act = &open->act;

	if (file)
		wd_fill_map_id(file, &act->object);
	switch (wd_count(act)) {
	case WD_COUNTED:
		wd_add(&all->counted, 1);
		return true;
	case WD_COUNTED_FIRST:
		act->flags |= WD_ACT_COUNTER_FIRST;
		return false;
	default:
		wd_count_lost(wd_ring_of(act->command, act->decision));
		return true;
	}
}

/* Sends what is known of a call whose end nobody saw. */
static __always_inline void wd_abandon(struct wd_config *cfg, struct wd_stats *all,
				       struct wd_open *open)
{
	open->active = 0;
	open->act.flags |= WD_ACT_NO_RESULT;
	wd_record(cfg, open, wd_ring_of(open->act.command, open->act.decision));
	wd_add(&all->open, -1ULL);
}

/* Ends the open call of this task with its result. */
static __noinline void wd_end(struct wd_config *cfg, struct wd_stats *all, struct wd_open *open,
			      long result)
{
	struct wd_act *act = &open->act;
	struct file *file;

	open->active = 0;
	act->result = result;
	if (act->flags & WD_ACT_ATTR_UNREADABLE) {
		wd_read_attr(open);
		wd_fill_claim(open);
	}
	file = wd_object_file(open);
	wd_add(&all->open, -1ULL);
	if (wd_is_data_plane(act->command) && wd_end_counted(all, open, file))
		return;
	if (file)
		wd_fill_object(file, &act->object);
	act->duration_ns = bpf_ktime_get_boot_ns() - act->head.boot_ns;
	wd_record(cfg, open, wd_ring_of(act->command, act->decision));
}

#endif /* WARDEN_ACT_H */
