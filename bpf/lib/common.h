/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The programs that both objects have, and what their hooks begin with. Included once by each.
 *
 *	tp_btf/sched_process_exit	a call still open is sent without a result
 *	iter/bpf_prog, bpf_map, bpf_link	inventory
 *	iter/task			identity of the tasks that were there before us
 *	syscall resolve, declare	test runs by warden-load
 *	syscall decide, tier		test runs by tests
 */
#ifndef WARDEN_COMMON_H
#define WARDEN_COMMON_H

#include "inventory.h"
#include "names.h"
#include "record.h"
#include <bpf/bpf_tracing.h>

/* Set before load; the active generation is in the config map, so that two sets can overlap. */
const volatile __u32 generation = 0;

/*
 * 1 where programs go on acting when newer ones act, until they are detached: a hook runs the
 * newest first, and `config` can change between it and the one before. If that had stopped by then,
 * the call would get by both.
 */
#ifndef WD_OLDER_ACTS
#define WD_OLDER_ACTS 0
#endif

static __always_inline struct wd_config *active_config(void)
{
	struct wd_config *cfg = wd_config();

	if (!cfg || cfg->generation == generation)
		return cfg;
	return WD_OLDER_ACTS && cfg->generation > generation ? cfg : NULL;
}

static __always_inline __u32 role_of(struct task_struct *task)
{
	struct wd_task *store = bpf_task_storage_get(&tasks, task, 0, 0);

	return store ? store->role : WD_ROLE_NONE;
}

/* The end of a call that has no open record: ours, a canary, or one whose begin was not seen. */
static __always_inline struct wd_open *late(struct task_struct *task, struct wd_config *cfg,
					    struct wd_stats *all, struct wd_call *call, __u32 flags)
{
	__u32 role = role_of(task);
	struct wd_open *open;

	if ((role & WD_ROLE_KINDS) == WD_ROLE_LOAD && call->command == WD_CANARY_COMMAND)
		wd_add(&all->canaries, 1);
	if (role != WD_ROLE_NONE)
		return NULL;
	wd_count_error(WD_ERR_LATE);
	open = wd_open_call(task);
	if (open) {
		wd_begin(cfg, all, open, call, flags | WD_ACT_LATE);
		return open;
	}
	wd_add(&all->acts, 1);
	wd_count_lost(wd_ring_of(call->command, WD_ALLOW));
	return NULL;
}

/* Fail open: it only observes. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct wd_open *open = bpf_task_storage_get(&calls, task, 0, 0);
	struct wd_config *cfg = active_config();
	struct wd_stats *all = wd_stats();

	if (!open || !cfg || !all || open->active != WD_OPEN)
		return 0;
	wd_abandon_all(cfg, all, task, open);
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
	struct wd_state *own_state = wd_state();
	struct wd_exe_key key = {};
	__u64 kind = wd_bounded(ctx->learn, WD_KINDS);

	ctx->error = file ? 0 : -EBADF;
	if (!file)
		return 0;
	if (kind != WD_OBJECT_NONE)
		file_operations[kind] = (__u64)BPF_CORE_READ(file, f_op);
	if (kind == WD_OBJECT_BTF)
		kernel_btf = (__u64)BPF_CORE_READ(file, private_data);
	if (ctx->place && own_state)
		own_state->own_mount = (__u64)wd_mount_of(BPF_CORE_READ(file, f_path.mnt));
	wd_exe_key_probed(file, &key);
	ctx->exe = key;
	return 0;
}

/* A copy: up to 7.0 the verifier takes no context for what a helper reads. */
static __always_inline int declare_raised(const struct wd_declare *ctx)
{
	struct wd_ring_stats *counts = wd_ring_stats(WD_RING_DENY);
	struct wd_raised raised = ctx->raised;

	if (!counts)
		return 0;
	wd_add(&counts->attempted, 1);
	raised.head.size = sizeof(raised);
	raised.head.kind = WD_RECORD_RAISE;
	raised.head.layout = WD_LAYOUT_VERSION;
	raised.head.boot_ns = bpf_ktime_get_boot_ns();
	raised.head.lost = counts->lost;
	if (wd_output(WD_RING_DENY, &raised, sizeof(raised)))
		wd_add(&counts->lost, 1);
	else
		wd_add(&counts->delivered, 1);
	return 0;
}

/* One store: a map update copies bytes, and half a number would be a generation that nobody has. */
static __always_inline int declare_generation(__u32 next)
{
	struct wd_config *cfg = wd_config();

	if (cfg)
		*(volatile __u32 *)&cfg->generation = next;
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

	if (ctx->what == WD_DECLARE_RAISED)
		return declare_raised(ctx);
	if (ctx->what == WD_DECLARE_GENERATION)
		return declare_generation(ctx->generation);
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
	struct wd_matter m = {
		.judged = ctx->judged,
		.command = ctx->command,
		.prog_type = ctx->prog_type,
		.map_type = ctx->map_type,
		.attach_type = ctx->attach_type,
		.foreign = !!ctx->foreign,
		.beyond = !!ctx->beyond,
		.signer = ctx->signer,
		.serial = ctx->serial,
		.helpers = ctx->helpers,
		.kfuncs = ctx->kfuncs,
	};
	struct wd_verdict verdict = wd_decide(&ctx->tier, &ctx->loader, &m);

	ctx->decision = verdict.decision;
	ctx->rule = verdict.rule;
	return 0;
}

SEC("syscall")
int tier(struct wd_tier_case *ctx)
{
	struct wd_tier_now now = {};
	struct wd_task store = {};
	struct wd_subject subject;

	subject = ctx->subject;
	store.carried_count = ctx->carried_count;
	__builtin_memcpy(store.carried, ctx->carried, sizeof(store.carried));
	wd_effective_tier(&subject, &store, ctx->floor, ctx->command, ctx->loader_kind, &now);
	ctx->tier = now.tier;
	ctx->from = now.from;
	ctx->observed = now.observed;
	return 0;
}

#endif /* WARDEN_COMMON_H */
