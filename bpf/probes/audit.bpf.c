// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Mode `audit`: sees every bpf(2) and its result, judges it, and denies nothing.
 *
 *	tp_btf/sys_enter		begin of a call: claims, identity, decision
 *	tp_btf/sys_exit			its end: result, object, record or counter
 *	tp_btf/sched_process_fork	identity goes to the child
 *	tp_btf/sched_process_exec	identity is taken from the file that was executed
 *	tp_btf/sched_process_exit	a call still open is sent without a result
 *	iter/bpf_prog, bpf_map, bpf_link	inventory
 *	iter/task			identity of the tasks that were there before us
 *	syscall resolve, decide, declare	test runs by warden-load and the tests
 *
 * All of them fail open: they observe. The raw system call tracepoints run for every call of the
 * machine, but they alone see `int 0x80`; what they cost is in bpf/README.md.
 */
#include "kernel.h"
#include <asm-generic/errno-base.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "act.h"
#include "inventory.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before load; the active generation is in the config map, so that two sets can overlap. */
const volatile __u32 generation = 0;

static __always_inline struct wd_config *active_config(void)
{
	struct wd_config *cfg = wd_config();

	return cfg && cfg->generation == generation ? cfg : NULL;
}

static __always_inline __u32 role_of(struct task_struct *task)
{
	struct wd_task *store = bpf_task_storage_get(&tasks, task, 0, 0);

	return store ? store->role : WD_ROLE_NONE;
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
	if (open->active) {
		wd_count_error(WD_ERR_STALE_OPEN);
		wd_abandon(cfg, all, open);
	}
	wd_begin(cfg, all, open, &call, 0);
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long nr)
{
	if (!wd_maybe_bpf(nr))
		return 0;
	return enter(regs, nr);
}

/* The end of a call that has no open record: ours, a canary, or one whose begin was not seen. */
static __always_inline struct wd_open *late(struct task_struct *task, struct wd_config *cfg,
					    struct wd_stats *all, struct wd_call *call)
{
	__u32 role = role_of(task);
	struct wd_open *open;

	if (role == WD_ROLE_LOAD && call->command == WD_CANARY_COMMAND)
		wd_add(&all->canaries, 1);
	if (role != WD_ROLE_NONE)
		return NULL;
	wd_count_error(WD_ERR_LATE);
	open = wd_open_call(task);
	if (open) {
		wd_begin(cfg, all, open, call, WD_ACT_LATE);
		return open;
	}
	wd_add(&all->acts, 1);
	wd_count_lost(wd_ring_of(call->command, WD_ALLOW));
	return NULL;
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
	if (open && open->active && !wd_is_open_call(open, &call)) {
		wd_count_error(WD_ERR_STALE_OPEN);
		wd_abandon(cfg, all, open);
	}
	if (!open || !open->active)
		open = late(task, cfg, all, &call);
	if (open)
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
		wd_on_fork(parent, child, cfg->half);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct wd_config *cfg = active_config();

	if (cfg)
		wd_on_exec(task, bprm->file, cfg->half);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct wd_open *open = bpf_task_storage_get(&calls, task, 0, 0);
	struct wd_config *cfg = active_config();
	struct wd_stats *all = wd_stats();

	if (!open || !cfg || !all || !open->active)
		return 0;
	wd_count_error(WD_ERR_STALE_OPEN);
	wd_abandon(cfg, all, open);
	return 0;
}

SEC("iter/bpf_prog")
int inventory_progs(struct bpf_iter__bpf_prog *ctx)
{
	struct bpf_prog *prog = ctx->prog;

	if (prog)
		wd_list_prog(ctx->meta->seq, prog);
	return 0;
}

SEC("iter/bpf_map")
int inventory_maps(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;

	if (map)
		wd_list_map(ctx->meta->seq, map);
	return 0;
}

SEC("iter/bpf_link")
int inventory_links(struct bpf_iter__bpf_link *ctx)
{
	struct bpf_link *link = ctx->link;

	if (link)
		wd_list_link(ctx->meta->seq, link);
	return 0;
}

SEC("iter/task")
int baseline(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct wd_config *cfg = wd_config();

	if (task && cfg && cfg->baseline != WD_BASELINE_OFF)
		wd_on_baseline(task, cfg->baseline, cfg->half);
	return 0;
}

SEC("syscall")
int resolve(struct wd_resolve *ctx)
{
	struct file *file = wd_file_of(bpf_get_current_task_btf(), ctx->fd);
	struct wd_exe_key key = {};
	__u64 kind = wd_bounded(ctx->learn, WD_KINDS);

	ctx->error = file ? 0 : -EBADF;
	if (!file)
		return 0;
	if (kind != WD_OBJECT_NONE)
		file_operations[kind] = (__u64)BPF_CORE_READ(file, f_op);
	wd_exe_key_probed(file, &key);
	ctx->exe = key;
	return 0;
}

/*
 * From 7.0 on the kernel runs tracepoint programs preemptibly, and skips one that another task is
 * in the middle of on the same CPU. It counts them: that is declared as loss.
 */
SEC("syscall")
int declare(struct wd_declare *ctx)
{
	struct wd_state *own_state = wd_state();
	struct wd_stats *all = wd_stats();
	__u64 before;

	if (!own_state || !all)
		return 0;
	before = own_state->skipped_generation == generation ? own_state->skipped : 0;
	if (ctx->skipped > before)
		wd_add(&all->errors[WD_ERR_SKIPPED], ctx->skipped - before);
	own_state->skipped = ctx->skipped;
	own_state->skipped_generation = generation;
	return 0;
}

SEC("syscall")
int decide(struct wd_decide_case *ctx)
{
	struct wd_decide_case c = *ctx;

	ctx->rule = wd_decide(&c);
	return 0;
}
