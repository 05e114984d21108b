/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A bpf(2) from lsm/bpf to the end of __sys_bpf. A program that bpf(2) runs can make one more
 * inside it (bpf_sys_bpf in a SYSCALL program), but no third: such a call can't run programs.
 */
#ifndef WARDEN_CALL_H
#define WARDEN_CALL_H

#include "domain.h"

#if defined(__TARGET_ARCH_x86)
static __always_inline bool is_compat(struct task_struct *task)
{
	return task->thread_info.status & WD_TS_COMPAT;
}
#elif defined(__TARGET_ARCH_arm64)
static __always_inline bool is_compat(struct task_struct *task)
{
	return task->thread_info.flags & WD_TIF_32BIT;
}
#endif

/* All of the attributes that a counted call's key needs. Most have it in front: one load. */
static __always_inline void keep_map_fd(struct wd_open *open, const union bpf_attr *attr)
{
	__u32 offset = wd_fd_offset(open->act.command);

	if (offset == 0) {
		*(__u32 *)open->attr = attr->map_type;
		return;
	}
	if (offset > sizeof(open->attr) - sizeof(__u32))
		return;
	if (bpf_probe_read_kernel(&open->attr[offset], sizeof(__u32), (void *)attr + offset))
		open->act.flags |= WD_ACT_ATTR_UNREADABLE;
}

/* A counted call: most of them are, so that nothing is filled that its key does not need. */
static __always_inline void judge_counted(struct wd_config *cfg, struct wd_open *open,
					  const union bpf_attr *attr)
{
	struct wd_matter m = {
		.judged = WD_JUDGE(WD_DIM_COMMAND),
		.command = open->act.command,
	};
	struct wd_verdict verdict;

	open->act.object.kind = WD_OBJECT_NONE;
	open->act.object.id = 0;
	keep_map_fd(open, attr);
	verdict = wd_verdict(cfg, open->half, open->act.tier, open->grant, &m);
	if (open->act.flags & WD_ACT_OBSERVED && verdict.decision == WD_DENY)
		verdict.decision = WD_WOULD_DENY;
	open->act.decision = verdict.decision;
	open->act.rule = verdict.rule;
}

/* Opens a record in `open` and judges the call. */
static __noinline int begin(struct wd_config *cfg, struct wd_stats *all, struct wd_open *open,
			    const struct wd_call *call, bool has_store)
{
	__u32 flags = is_compat(bpf_get_current_task_btf()) ? WD_ACT_COMPAT : 0;
	bool counted = wd_is_data_plane(call->command);
	const union bpf_attr *attr = (void *)call->attr;

	if (counted)
		flags |= WD_ACT_COPIED;
	else
		__builtin_memset(&open->act, 0, sizeof(open->act));
	wd_start(open, call->command, call->attr_size, flags);
	open->generation = generation;
	wd_know_who(cfg, open, has_store);
	wd_add(&all->acts, 1);
	wd_add(&all->open, 1);
	if (counted) {
		judge_counted(cfg, open, attr);
		return 0;
	}
	wd_copy_attr(open, attr, open->act.attr_size);
	wd_fill_claim(open);
	wd_judge(cfg, open);
	return 0;
}

/*
 * True when a program makes this call inside the open one: that runs programs, this does not, and
 * the registers that the task entered the kernel with still ask for the former.
 */
static __always_inline bool is_nested(struct task_struct *task, const struct wd_open *outer,
				      __u32 command)
{
	struct pt_regs *regs;
	struct wd_call entered = {};
	long nr;

	if (outer->act.command != BPF_PROG_TEST_RUN || command == BPF_PROG_TEST_RUN)
		return false;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	nr = wd_nr(regs);
	return wd_maybe_bpf(nr) && wd_call_of(regs, nr, &entered) &&
	       (entered.command & ~WD_COMMON_ATTRS) == BPF_PROG_TEST_RUN;
}

/* Where the call's record grows; what was left open there is sent. NULL without memory. */
static __noinline struct wd_open *place_for(struct wd_config *cfg, struct wd_stats *all,
					    struct task_struct *task, struct wd_open *outer,
					    __u32 command)
{
	struct wd_open *inner;

	if (!is_nested(task, outer, command)) {
		wd_abandon_all(cfg, all, task, outer);
		return outer;
	}
	inner = bpf_task_storage_get(&nested, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!inner) {
		wd_count_error(WD_ERR_TASK_STORAGE);
		return NULL;
	}
	if (inner->active == WD_OPEN) {
		wd_count_error(WD_ERR_STALE_OPEN);
		wd_abandon(cfg, all, inner);
	}
	return inner;
}

/*
 * Without a record the hooks that follow have nowhere to judge in, or find the one of the call
 * before: what they would judge is refused here where the policy enforces any of it. On 6.1 that is
 * not only want of memory: there the storage of a task is out of reach while another task that was
 * preempted in the middle of it waits on the same CPU. The call's end makes a record, or counts one
 * as lost.
 */
static __noinline int refused_bare(struct wd_config *cfg, __u32 command)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_matter m = {
		.judged = WD_JUDGE(WD_DIM_COMMAND),
		.command = wd_granted_as(command, WD_VIA_BPF),
	};
	__u64 half = wd_bounded(cfg->half, WD_POLICY_HALVES);
	struct wd_who who = {};
	struct wd_verdict verdict;

	wd_identify(task, bpf_task_storage_get(&tasks, task, 0, 0), wd_policy(cfg), half, command,
		    &who);
	if (!wd_is_data_plane(command) &&
	    enforced(cfg, half, who.tier.tier, who.grant) & ~WD_JUDGE(WD_DIM_COMMAND))
		return 1;
	verdict = wd_verdict(cfg, half, who.tier.tier, who.grant, &m);
	return verdict.decision == WD_DENY && !who.tier.observed;
}

/* Which kind of object the command gives an fd of by its id; WD_OBJECT_NONE: it does not. */
static __always_inline __u32 kind_by_id(__u32 command)
{
	switch (command) {
	case BPF_PROG_GET_FD_BY_ID:
		return WD_OBJECT_PROG;
	case BPF_MAP_GET_FD_BY_ID:
		return WD_OBJECT_MAP;
	case BPF_LINK_GET_FD_BY_ID:
		return WD_OBJECT_LINK;
	default:
		return WD_OBJECT_NONE;
	}
}

/*
 * Our objects are not there for those who ask by id: tools that list all go on to the next, where
 * EPERM would end them. By the kernel's copy of the id, so that nobody changes it behind us.
 */
static __always_inline bool is_hidden(struct wd_config *cfg, const struct wd_call *call)
{
	__u32 kind = kind_by_id(call->command), id = 0;

	if (kind == WD_OBJECT_NONE || !protects(cfg) ||
	    bpf_probe_read_kernel(&id, sizeof(id), (void *)call->attr))
		return false;
	return wd_is_ours(kind, id);
}

static __always_inline bool is_of_newer(const struct wd_config *cfg, const struct wd_open *open)
{
	return open && open->active != WD_CLOSED && open->generation > generation &&
	       open->generation <= cfg->generation;
}

/* True when a newer guard, which runs first, has opened and judged this very call. */
static __always_inline bool is_judged(struct wd_config *cfg, struct task_struct *task,
				      const struct wd_open *outer)
{
	if (is_newest(cfg) || !outer)
		return false;
	if (is_of_newer(cfg, outer))
		return true;
	return outer->nested && is_of_newer(cfg, bpf_task_storage_get(&nested, task, 0, 0));
}

/*
 * What no later hook sees the object of. A link is known by its number. A detach that names no
 * program takes away whosever is there: foreign to all.
 */
static __noinline int judge_unseen(struct wd_config *cfg, struct wd_open *open)
{
	struct wd_matter m = { .judged = WD_JUDGE(WD_DIM_OBJECT), .foreign = 1 };

	if (open->act.command == BPF_LINK_GET_FD_BY_ID)
		return judge_maker(cfg, open, open->act.claim.id, MODE_READ | MODE_WRITE);
	if (open->act.command == BPF_PROG_DETACH && !wd_attr_u32(open, WD_ATTR_SECOND_FD))
		wd_decide_act(open, wd_verdict(cfg, open->half, open->act.tier, open->grant, &m));
	return 0;
}

/* lsm/bpf. */
static __always_inline enum wd_refused enter(const struct wd_call *call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_config *cfg = active_config();
	struct wd_stats *all = wd_stats();
	struct wd_open *open, *outer;
	struct wd_task *store;
	bool hidden;

	if (!cfg || !all)
		return WD_GO_ON;
	store = bpf_task_storage_get(&tasks, task, 0, 0);
	if (is_ours(store)) {
		if (is_newest(cfg))
			wd_add(&all->own_acts, 1);
		return WD_GO_ON;
	}
	hidden = is_hidden(cfg, call);
	open = outer = wd_open_call(task);
	if (is_judged(cfg, task, outer))
		return WD_GO_ON;
	if (outer && outer->active == WD_OPEN)
		open = place_for(cfg, all, task, outer, call->command);
	if (!open || !outer) {
		if (refused_bare(cfg, call->command))
			return WD_REFUSE;
		return hidden ? WD_HIDE : WD_GO_ON;
	}
	begin(cfg, all, open, call, store != NULL);
	if (open != outer) {
		open->act.flags |= WD_ACT_NESTED;
		outer->nested = 1;
	}
	if (hidden && open->act.decision != WD_DENY) {
		open->act.decision = WD_DENY;
		open->act.rule = WD_RULE_HIDDEN;
	}
	judge_unseen(cfg, open);
	return refused_as(cfg, all, open);
}

/* The record that the end of a call belongs to, closed or not; NULL when it has none. */
static __always_inline struct wd_open *record_of(struct task_struct *task, bool inner)
{
	struct wd_open *outer = bpf_task_storage_get(&calls, task, 0, 0);

	if (!inner || !outer)
		return outer;
	if (!outer->nested)
		return NULL;
	outer->nested = 0;
	return bpf_task_storage_get(&nested, task, 0, 0);
}

/* An inner call that lsm/bpf did not see has no record of its own to grow in. */
static __always_inline void lose_inner(struct wd_stats *all, struct task_struct *task,
				       __u32 command)
{
	if (role_of(task) != WD_ROLE_NONE)
		return;
	wd_count_error(WD_ERR_LATE);
	wd_add(&all->acts, 1);
	wd_count_lost(wd_ring_of(command, WD_ALLOW));
}

/* An inner call whose end was skipped can't outlive the call around it. */
static __always_inline void abandon_inner(struct wd_config *cfg, struct wd_stats *all,
					  struct task_struct *task, struct wd_open *outer)
{
	struct wd_open *inner = bpf_task_storage_get(&nested, task, 0, 0);

	outer->nested = 0;
	if (!inner || inner->active != WD_OPEN)
		return;
	wd_count_error(WD_ERR_STALE_OPEN);
	wd_abandon(cfg, all, inner);
}

/* True when this end is none of what an older guard has opened and nobody has closed. */
static __always_inline bool is_left_to_newer(struct wd_config *cfg, struct task_struct *task,
					     const struct wd_call *call, bool inner)
{
	struct wd_open *open = bpf_task_storage_get(&calls, task, 0, 0);

	if (is_newest(cfg))
		return false;
	if (inner && open)
		open = open->nested ? bpf_task_storage_get(&nested, task, 0, 0) : NULL;
	return !open || open->generation != generation || open->active == WD_CLOSED ||
	       open->act.command != call->command;
}

/* The end of __sys_bpf. `inner` when a program called it. */
static __noinline int leave(struct wd_call *call, long result, bool inner)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_config *cfg = active_config();
	struct wd_stats *all = wd_stats();
	struct wd_open *open;

	if (!cfg || !all || is_left_to_newer(cfg, task, call, inner))
		return 0;
	open = record_of(task, inner);
	if (open && open->active == WD_SENT && open->act.command == call->command) {
		open->active = WD_CLOSED;
		if (result == open->act.result)
			return 0;
	}
	if (open && open->active == WD_OPEN && open->act.command != call->command)
		wd_abandon_all(cfg, all, task, open);
	if (open && !inner && open->nested)
		abandon_inner(cfg, all, task, open);
	if (!open || open->active != WD_OPEN) {
		if (inner) {
			lose_inner(all, task, call->command);
			return 0;
		}
		call->compat = is_compat(task);
		open = late(task, cfg, all, call, 0);
	}
	if (!open)
		return 0;
	open->act.attr_size = call->attr_size;
	wd_end(cfg, all, open, result);
	return 0;
}

#endif /* WARDEN_CALL_H */
