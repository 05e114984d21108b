/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* An act to its end: the record or the counter that it ends in. */
#ifndef WARDEN_RECORD_H
#define WARDEN_RECORD_H

#include "act.h"
#include "counter.h"
#include "object.h"
#include "path.h"
#include "ring.h"

#define WD_CAP_SYS_ADMIN 21
#define WD_CAP_BPF 39

/* For the enforcer: whose fall is the host's. */
static __always_inline void wd_note_admin(const struct wd_act *act)
{
	struct wd_subject key = act->subject; /* a copy: see wd_own_tier */
	__u64 now = bpf_ktime_get_boot_ns();

	if (key.kind != WD_SUBJECT_LOADER && !bpf_map_lookup_elem(&admins, &key))
		bpf_map_update_elem(&admins, &key, &now, BPF_ANY);
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
	if (initial && capabilities >> WD_CAP_SYS_ADMIN & 1) {
		act->flags |= WD_ACT_CAP_SYS_ADMIN;
		wd_note_admin(act);
	}
	if (initial && capabilities >> WD_CAP_BPF & 1)
		act->flags |= WD_ACT_CAP_BPF;
}

static __always_inline void wd_fill_process(struct task_struct *task, struct wd_act *act)
{
	struct file *file = wd_exe_file(task);
	__u64 id = bpf_get_current_pid_tgid();

	act->pid = id >> 32;
	act->tid = (__u32)id;
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

/* What was found in the program; returns its length. */
static __always_inline __u32 wd_fill_facts(struct task_struct *task, struct wd_open *open,
					   __u32 at)
{
	struct wd_scratch *scan;

	if (!open->scanned)
		return 0;
	scan = bpf_task_storage_get(&scans, task, 0, 0);
	if (!scan ||
	    bpf_probe_read_kernel(open->tail + at, sizeof(scan->facts), &scan->facts))
		return 0;
	open->act.facts_len = sizeof(scan->facts);
	return sizeof(scan->facts);
}

/*
 * The string that the call named; a program that makes a call names one in kernel memory, as do
 * acts outside bpf(2).
 */
static __always_inline __u32 wd_fill_text(struct wd_open *open, __u32 at)
{
	const void *text = *(void **)open->attr;
	long len;

	if (open->act.via ? !text : !wd_names_text(open->act.command))
		return 0;
	if (open->act.via || open->act.flags & WD_ACT_NESTED)
		len = bpf_probe_read_kernel_str(open->tail + at, WD_TEXT_MAX, text);
	else
		len = bpf_probe_read_user_str(open->tail + at, WD_TEXT_MAX, text);
	return len > 0 ? len : 0;
}

/* Writes path, cgroup, facts and text behind the act; returns the record's size. */
static __always_inline __u32 wd_fill_tail(struct task_struct *task, struct wd_open *open)
{
	struct file *file = wd_exe_file(task);
	__u32 at;

	if (file) {
		open->act.path_len = wd_put_file_path(open, file);
		if (!open->walk.done)
			open->act.exe_flags |= WD_EXE_PATH_TRUNCATED;
	}
	open->act.cgroup_len = wd_put_cgroup(open, BPF_CORE_READ(task, cgroups, dfl_cgrp, kn),
					     open->act.path_len);
	/* Read back, so that the verifier does not walk what follows for each way to get there. */
	asm volatile("" : : : "memory");
	at = open->act.path_len + open->act.cgroup_len;
	if (at > WD_PATH_MAX + WD_CGROUP_MAX)
		return sizeof(open->act) + at;
	if (open->act.command == BPF_PROG_LOAD)
		return sizeof(open->act) + at + wd_fill_facts(task, open, at);
	return sizeof(open->act) + at + wd_fill_text(open, at);
}

/* Global: see wd_tier_of. */
__noinline int wd_record(struct wd_config *cfg, struct wd_open *open, __u32 ring)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 size;

	if (!cfg || !open)
		return 0;
	if (!wd_admits(ring, &open->act.subject, wd_policy(cfg)->bulk_rate))
		return 0;
	wd_fill_process(task, &open->act);
	size = wd_fill_tail(task, open);
	/* Kept from the compiler, as in wd_bounded. */
	asm volatile("" : "+r"(size));
	if (size > sizeof(open->act) + sizeof(open->tail)) {
		wd_count_lost(ring);
		return 0;
	}
	asm volatile("" : "+r"(size));
	wd_send(ring, &open->act, size);
	return 0;
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

/* A counted call fills only what its key needs: the rest is made up for when it is a record. */
static __always_inline void wd_clear_rest(struct wd_act *act)
{
	struct wd_object object = { .kind = act->object.kind, .id = act->object.id };

	act->duration_ns = 0;
	act->path_len = 0;
	act->cgroup_len = 0;
	act->facts_len = 0;
	act->has_exe_digest = 0;
	__builtin_memset(act->exe_digest, 0, sizeof(act->exe_digest));
	__builtin_memset(&act->claim, 0, sizeof(act->claim));
	act->object = object;
}

/* Counts the call; true when that was all there is to do. */
static __always_inline bool wd_end_counted(struct wd_stats *all, struct wd_open *open,
					   struct file *file)
{
	struct wd_act *act = &open->act;

	if (file)
		wd_fill_map_id(file, &act->object);
	if (file && wd_writes_map(act->command) && wd_is_control(file)) {
		wd_clear_rest(act);
		act->flags |= WD_ACT_CONTROL;
		return false;
	}
	switch (wd_count(act)) {
	case WD_COUNTED:
		wd_add(&all->counted, 1);
		return true;
	case WD_COUNTED_FIRST:
		wd_clear_rest(act);
		act->flags |= WD_ACT_COUNTER_FIRST;
		act->claim.valid = !(act->flags & WD_ACT_ATTR_UNREADABLE);
		return false;
	default:
		wd_count_lost(wd_ring_of(act->command, act->decision));
		return true;
	}
}

/* Sends what is known of a call whose end nobody saw. */
static __noinline void wd_abandon(struct wd_config *cfg, struct wd_stats *all,
				  struct wd_open *open)
{
	open->active = WD_CLOSED;
	if (wd_is_data_plane(open->act.command)) {
		open->act.result = 0;
		open->act.object.kind = WD_OBJECT_NONE;
		open->act.object.id = 0;
		wd_clear_rest(&open->act);
	}
	open->act.flags |= WD_ACT_NO_RESULT;
	wd_record(cfg, open, wd_ring_of(open->act.command, open->act.decision));
	wd_add(&all->open, -1ULL);
}

/* A task's open call, and the one that a program made inside it. */
static __always_inline void wd_abandon_all(struct wd_config *cfg, struct wd_stats *all,
					   struct task_struct *task, struct wd_open *open)
{
	struct wd_open *inner = NULL;

	wd_count_error(WD_ERR_STALE_OPEN);
	if (open->nested)
		inner = bpf_task_storage_get(&nested, task, 0, 0);
	if (inner && inner->active == WD_OPEN)
		wd_abandon(cfg, all, inner);
	wd_abandon(cfg, all, open);
}

/* Ends the open call of this task with its result. */
static __noinline void wd_end(struct wd_config *cfg, struct wd_stats *all, struct wd_open *open,
			      long result)
{
	struct wd_act *act = &open->act;
	struct file *file;

	open->active = WD_CLOSED;
	act->result = result;
	file = wd_object_file(open);
	wd_add(&all->open, -1ULL);
	if (wd_is_data_plane(act->command) && wd_end_counted(all, open, file))
		return;
	if (file && !(act->flags & WD_ACT_PRIMED))
		wd_fill_object(file, &act->object);
	act->duration_ns = bpf_ktime_get_boot_ns() - act->head.boot_ns;
	if (act->flags & WD_ACT_CONTROL && act->decision == WD_ALLOW)
		wd_record(cfg, open, WD_RING_OBJECT);
	else
		wd_record(cfg, open, wd_ring_of(act->command, act->decision));
}

#endif /* WARDEN_RECORD_H */
