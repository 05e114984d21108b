/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * An fd of a program or map that is there already, asked for by id or by pin. Here and not when it
 * is used: an fd can be exchanged for another between our look at it and the kernel's.
 */
#ifndef WARDEN_ISSUE_H
#define WARDEN_ISSUE_H

#include "load.h"
#include "outside.h"

/*
 * Before 6.9, and in mode fmod_ret, the scan can have been skipped. Where a hook of BPF LSM does
 * it, it can't, and what is not remembered was there before us or found no room: foreign, and no
 * worse.
 */
static __always_inline bool scan_can_be_skipped(void)
{
	return !is_lsm || !bpf_core_type_exists(struct bpf_token);
}

/*
 * What can't be told of a program that somebody asks for, as dimensions; *ret_rule is the one that
 * it was refused by at its load.
 */
static __always_inline __u32 unknown_of(struct wd_config *cfg, struct bpf_prog_aux *aux,
					__u32 *ret_rule)
{
	struct wd_made *made = made_of((__u64)aux);
	__u32 state = made ? made->scan : WD_SCAN_NONE;

	switch (state & ((1 << WD_SCAN_RULE_SHIFT) - 1)) {
	case WD_SCAN_ALLOWED:
		return 0;
	case WD_SCAN_REFUSED:
		*ret_rule = state >> WD_SCAN_RULE_SHIFT;
		return 0;
	case WD_SCAN_PENDING:
		return CONTENT | WD_JUDGE(WD_DIM_OBJECT);
	}
	if (scan_can_be_skipped() && cfg->guard_boot_ns &&
	    BPF_CORE_READ(aux, load_time) >= cfg->guard_boot_ns)
		return CONTENT;
	return 0;
}

/* Fail closed: what nobody looked into, or was refused to its loader, is nobody's to use. */
static __noinline int judge_asked(struct wd_config *cfg, struct wd_open *open,
				  struct bpf_prog_aux *aux)
{
	struct wd_verdict refused = { .decision = WD_DENY };
	__u32 blind = unknown_of(cfg, aux, &refused.rule);

	if (refused.rule) {
		open->blameless = 1;
		wd_decide_act(open, refused);
		return 0;
	}
	if (blind)
		decide_blind(cfg, open, blind, WD_RULE_UNSCANNED);
	judge_maker(cfg, open, (__u64)aux, 0);
	return 0;
}

static __noinline int refused_asked(struct wd_config *cfg, struct bpf_prog_aux *aux)
{
	__u32 rule = 0, blind = unknown_of(cfg, aux, &rule);

	return rule || is_protected(cfg, WD_OBJECT_PROG, aux->id) ||
	       refused_outside(cfg, (__u64)aux, blind);
}

static __always_inline bool opens_pin(struct task_struct *task)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);
	struct wd_call call = {};
	long nr = wd_nr(regs);

	return wd_maybe_bpf(nr) && wd_call_of(regs, nr, &call) && call.command == BPF_OBJ_GET;
}

/*
 * One of ours opens a pin: all that it opens is the guard's, or nothing is, as for a guard of its
 * own elsewhere. Both is what somebody has put together by mounts, such as our config with other
 * operators beside it: refused, and then it is none of ours. `name` is the object's.
 */
static __noinline int mixes(struct wd_config *cfg, __u32 kind, __u32 id, const void *name)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_task *store = bpf_task_storage_get(&tasks, task, 0, 0);

	if (!store || !protects(cfg) || !opens_pin(task))
		return 0;
	store->role |= wd_is_ours(kind, id) ? WD_ROLE_OPENED_OURS : WD_ROLE_OPENED_OTHERS;
	if (~store->role & (WD_ROLE_OPENED_OURS | WD_ROLE_OPENED_OTHERS))
		return 0;
	store->role = WD_ROLE_NONE;
	tampers(cfg, WD_PIN_OPEN, WD_VIA_SYSCALL, name);
	return 1;
}

/* lsm/bpf_prog. */
static __always_inline enum wd_refused issue_prog(struct bpf_prog *prog)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_task *store = bpf_task_storage_get(&tasks, task, 0, 0);
	struct bpf_prog_aux *aux = prog->aux;
	struct wd_config *cfg = active_config();
	struct wd_stats *all = wd_stats();
	struct wd_open *open;

	if (!cfg || !all)
		return WD_GO_ON;
	if (is_ours(store)) {
		if (mixes(cfg, WD_OBJECT_PROG, aux->id, &aux->name))
			return WD_REFUSE;
		if (!made_of((__u64)aux))
			remember((__u64)aux, WD_OBJECT_PROG, NULL, aux->id, WD_SCAN_ALLOWED);
		return WD_GO_ON;
	}
	open = open_call_of(task);
	if (!open)
		return refused_asked(cfg, aux);
	if (open->act.command == BPF_PROG_LOAD)
		judge_loaded(cfg, open, aux, aux->id);
	else if (wd_is_ours(WD_OBJECT_PROG, aux->id))
		judge_tampering(cfg, open);
	else
		judge_asked(cfg, open, aux);
	if (open->act.decision == WD_DENY && open->act.command != BPF_PROG_LOAD) {
		open->act.object.kind = WD_OBJECT_PROG;
		wd_fill_prog(prog, &open->act.object);
	}
	return refused_as(cfg, all, open);
}

/* lsm/bpf_map. `fmode`: 1 to read, 2 to write. */
static __always_inline enum wd_refused issue_map(struct bpf_map *map, __u32 fmode)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_task *store = bpf_task_storage_get(&tasks, task, 0, 0);
	struct wd_config *cfg = active_config();
	struct wd_stats *all = wd_stats();
	struct wd_open *open;

	if (!cfg || !all)
		return WD_GO_ON;
	if (is_ours(store)) {
		if (mixes(cfg, WD_OBJECT_MAP, map->id, &map->name))
			return WD_REFUSE;
		if (!made_of((__u64)map))
			remember((__u64)map, WD_OBJECT_MAP, NULL, map->id, WD_SCAN_NONE);
		return WD_GO_ON;
	}
	open = open_call_of(task);
	if (!open)
		return is_protected(cfg, WD_OBJECT_MAP, map->id) ||
		       refused_outside(cfg, (__u64)map, 0);
	if (open->act.command == BPF_MAP_CREATE) {
		remember((__u64)map, WD_OBJECT_MAP, &open->act, map->id, WD_SCAN_NONE);
		return WD_GO_ON;
	}
	if (wd_is_ours(WD_OBJECT_MAP, map->id))
		judge_tampering(cfg, open);
	else
		judge_maker(cfg, open, (__u64)map, fmode);
	if (open->act.decision == WD_DENY) {
		open->act.object.kind = WD_OBJECT_MAP;
		wd_fill_map(map, &open->act.object);
	}
	return refused_as(cfg, all, open);
}

#endif /* WARDEN_ISSUE_H */
