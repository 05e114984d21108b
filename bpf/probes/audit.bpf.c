// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Mode `audit`: sees every bpf(2) and its result, judges it, and denies nothing. Mode `signal`, on
 * request only: the same, and SIGKILL to whoever makes a load that the policy refuses.
 *
 *	tp_btf/sys_enter		begin of a call: claims, identity, decision
 *	tp_btf/sys_exit			its end: result, object, record or counter
 *	tp_btf/sched_process_fork	identity goes to the child
 *	tp_btf/sched_process_exec	identity is taken from the file that was executed
 *	tp_btf/sched_process_exit	a call still open is sent without a result
 *	iter/bpf_prog, bpf_map, bpf_link	inventory
 *	iter/task			identity of the tasks that were there before us
 *	syscall resolve, declare	test runs by warden-load
 *	syscall decide, tier		test runs by tests
 *
 * All of them fail open: they observe. The raw system call tracepoints run for every call of the
 * machine, but they alone see `int 0x80`; what they cost is in bpf/README.md.
 */
#include "kernel.h"
#include <asm-generic/errno-base.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "common.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SIGNAL_KILL 9

/*
 * Mode signal. At the begin of a load a pending SIGKILL is what the kernel's verifier looks for at
 * every instruction: no program comes of it. Fails open: init and kernel threads can't be killed,
 * and what user memory claims can be another load's by the time the kernel copies it. That one ends
 * with an fd, and dies with whoever made it unless somebody else has it by then.
 */
static __always_inline void kill_refused(struct wd_open *open)
{
	if (open->act.decision != WD_DENY || open->act.flags & WD_ACT_KILLED)
		return;
	if (bpf_send_signal(SIGNAL_KILL))
		open->act.decision = WD_WOULD_DENY;
	else
		open->act.flags |= WD_ACT_KILLED;
}

/* What a load made is judged by what it is, whatever was claimed of it. */
static __always_inline void judge_made(struct wd_config *cfg, struct wd_open *open, long fd)
{
	struct file *file = wd_file_of(bpf_get_current_task_btf(), fd);
	struct wd_matter m = { .judged = WD_JUDGE(WD_DIM_PROG_TYPE) };
	struct wd_claim made = {};

	if (!file || wd_kind_of(file) != WD_OBJECT_PROG)
		return;
	wd_fill_object(file, &open->act.object);
	made.type = m.prog_type = open->act.object.type;
	made.attach_type = m.attach_type = open->act.object.attach_type;
	if (wd_load_has_attach_type(&made))
		m.judged |= WD_JUDGE(WD_DIM_ATTACH_TYPE);
	wd_decide_act(open, wd_verdict(cfg, open->half, open->act.tier, open->grant, &m));
}

/* The end of a load in mode signal. One that failed, and killed nobody, was not refused by us. */
static __noinline int settle(struct wd_config *cfg, struct wd_open *open, long result)
{
	if (result >= 0)
		judge_made(cfg, open, result);
	else if (open->act.decision == WD_DENY && !(open->act.flags & WD_ACT_KILLED))
		open->act.decision = WD_WOULD_DENY;
	kill_refused(open);
	return 0;
}

static __noinline int enter(struct pt_regs *regs, long nr)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_config *cfg = active_config();
	struct wd_stats *all = wd_stats();
	struct wd_call call = {};
	struct wd_open *open;

	if (!cfg || !all || !wd_call_of(regs, nr, &call))
		return 0;
	call.command &= ~WD_COMMON_ATTRS;
	if (role_of(task) != WD_ROLE_NONE) {
		wd_add(&all->own_acts, 1);
		return 0;
	}
	/* Without room for a record there is none: the call's end tries again, and counts. */
	open = wd_open_call(task);
	if (!open)
		return 0;
	if (open->active == WD_OPEN) {
		wd_count_error(WD_ERR_STALE_OPEN);
		wd_abandon(cfg, all, open);
	}
	wd_begin(cfg, all, open, &call, 0);
	kill_refused(open);
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long nr)
{
	if (!wd_maybe_bpf(nr))
		return 0;
	return enter(regs, nr);
}

/* False for the end of another call than the open one, whose own end was then missed. */
static __always_inline bool is_open_call(const struct wd_open *open, const struct wd_call *call)
{
	return open->act.command == call->command && open->attr_address == call->attr &&
	       open->act.attr_size == call->attr_size;
}

static __noinline int leave(struct pt_regs *regs, long nr, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_config *cfg = active_config();
	struct wd_stats *all = wd_stats();
	struct wd_call call = {};
	struct wd_open *open;

	if (!cfg || !all || !wd_call_of(regs, nr, &call))
		return 0;
	call.command &= ~WD_COMMON_ATTRS;
	open = bpf_task_storage_get(&calls, task, 0, 0);
	if (open && open->active == WD_OPEN && !is_open_call(open, &call)) {
		wd_count_error(WD_ERR_STALE_OPEN);
		wd_abandon(cfg, all, open);
	}
	if (!open || open->active != WD_OPEN)
		open = late(task, cfg, all, &call, 0);
	if (!open)
		return 0;
	if (open->act.flags & WD_ACT_ATTR_UNREADABLE) {
		wd_read_attr(open);
		wd_fill_claim(open);
	}
	if (!open->late)
		settle(cfg, open, result);
	wd_end(cfg, all, open, result);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long result)
{
	long nr = wd_nr(regs);

	if (!wd_maybe_bpf(nr))
		return 0;
	return leave(regs, nr, result);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct wd_config *cfg = active_config();

	if (cfg)
		wd_on_fork(parent, child, wd_policy(cfg), cfg->half);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct wd_config *cfg = active_config();

	if (cfg)
		wd_on_exec(task, bprm->file, wd_policy(cfg), cfg->half);
	return 0;
}
