/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A program load: scanned and judged before the verifier, judged again when the verifier has found
 * its maps and the kfuncs of modules. Between the two nobody gets an fd of it by its id.
 *
 *	6.9 and later	bpf_prog_load refuses by helpers and kfuncs, bpf_prog by the rest
 *	before		bpf_check only scans: it refuses nothing, and preemption can skip it;
 *			bpf_prog refuses, whatever was not scanned too
 */
#ifndef WARDEN_LOAD_H
#define WARDEN_LOAD_H

#include "made.h"
#include "protect.h"
#include "scan.h"

#define CONTENT (WD_JUDGE(WD_DIM_HELPER) | WD_JUDGE(WD_DIM_KFUNC) | \
		 WD_JUDGE(WD_DIM_SIGNATURE))

static __noinline int judge_content(struct wd_config *cfg, struct wd_open *open,
				    struct wd_scratch *scan)
{
	struct wd_matter m = {
		.judged = WD_JUDGE(WD_DIM_HELPER) | WD_JUDGE(WD_DIM_KFUNC),
		.beyond = !!(scan->facts.flags & WD_FACT_HELPER_BEYOND),
		.helpers = scan->facts.helpers,
		.kfuncs = scan->kfuncs,
	};

	wd_decide_act(open, wd_verdict(cfg, open->half, open->act.tier, open->grant, &m));
	return 0;
}

/*
 * Who signed: what a signed program loads while it runs is as good as itself, which is how signed
 * light skeletons load. Nothing that is not verified was signed.
 */
static __noinline int judge_signature(struct wd_config *cfg, struct wd_open *open,
				      struct wd_scratch *scan)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_matter m = { .judged = WD_JUDGE(WD_DIM_SIGNATURE) };
	struct wd_open *outer;

	if (scan->facts.signature == SIGNATURE_VERIFIED) {
		m.signer = scan->facts.keyring_type;
		m.serial = scan->facts.keyring_serial;
	} else if (open->act.flags & WD_ACT_NESTED) {
		outer = bpf_task_storage_get(&calls, task, 0, 0);
		if (outer) {
			m.signer = outer->run_signer;
			m.serial = outer->run_serial;
		}
	}
	wd_decide_act(open, wd_verdict(cfg, open->half, open->act.tier, open->grant, &m));
	return 0;
}

/* What the program calls, for the directories of a bpffs that it may be pinned in. */
static __always_inline void note_helpers(__u64 aux, const struct wd_scratch *scan)
{
	struct wd_made *made = made_of(aux);

	if (made)
		__builtin_memcpy(made->helpers, scan->facts.helpers, sizeof(made->helpers));
}

/* Scans, judges, and remembers the program as one that nobody may use yet. */
static __noinline int scan_load(struct wd_config *cfg, struct wd_open *open, struct bpf_prog *prog)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 aux = (__u64)BPF_CORE_READ(prog, aux);
	struct wd_scratch *scan;

	scan = bpf_task_storage_get(&scans, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!scan) {
		wd_count_error(WD_ERR_TASK_STORAGE);
		decide_blind(cfg, open, CONTENT, WD_RULE_NO_MEMORY);
		return 0;
	}
	scan_program(scan, prog, open->act.head.boot_ns);
	open->scanned = 1;
	if (scan->failed)
		decide_blind(cfg, open, CONTENT, WD_RULE_UNSCANNED);
	judge_content(cfg, open, scan);
	judge_signature(cfg, open, scan);
	if (is_on_our_hook((void *)aux, scan->facts.attach_btf_id,
			   BPF_CORE_READ(prog, type) == BPF_PROG_TYPE_LSM &&
				   open->act.flags & WD_ACT_AGENT))
		judge_tampering(cfg, open);
	if (remember(aux, WD_OBJECT_PROG, &open->act, 0, WD_SCAN_PENDING))
		decide_blind(cfg, open, CONTENT | WD_JUDGE(WD_DIM_OBJECT), WD_RULE_NO_MEMORY);
	if (open->act.decision == WD_DENY)
		set_off_reflex(cfg, open);
	return 0;
}

/*
 * Outside any open call: no memory for its record, or a way to an fd that is not bpf(2) (xt_bpf).
 * Refused when the object at `address` is foreign and that is enforced, or when any of `blind` is,
 * dimensions that can't be told. The end of a bpf(2) makes the record; other ways leave none.
 */
static __noinline int refused_outside(struct wd_config *cfg, __u64 address, __u32 blind)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_matter m = { .judged = WD_JUDGE(WD_DIM_OBJECT) };
	__u64 half = wd_bounded(cfg->half, WD_POLICY_HALVES);
	struct wd_who who = {};
	__u32 owner;

	wd_identify(task, bpf_task_storage_get(&tasks, task, 0, 0), wd_policy(cfg), half,
		    BPF_PROG_LOAD, &who);
	if (enforced(cfg, half, who.tier.tier, who.grant) & blind)
		return 1;
	if (who.tier.observed)
		return 0;
	owner = who.kind == WD_LOADER_AGENT ? who.loader : 0;
	m.foreign = address && !same_maker(made_of(address), owner, &who.subject);
	return wd_verdict(cfg, half, who.tier.tier, who.grant, &m).decision == WD_DENY;
}

struct map_walk {
	struct bpf_map **maps;
	struct wd_facts *facts;/* NULL: not scanned, so nowhere to name them */
	const struct wd_act *act;
	__u32 count;
	bool foreign;
};

static long map_step(__u32 i, void *context)
{
	struct map_walk *walk = context;
	struct bpf_map *map = NULL;

	if (bpf_probe_read_kernel(&map, sizeof(map), walk->maps + i) || !map) {
		walk->foreign = true;
		return 0;
	}
	if (is_foreign((__u64)map, walk->act))
		walk->foreign = true;
	if (!walk->facts)
		return 0;
	if (i >= WD_FACTS_MAPS) {
		walk->facts->flags |= WD_FACT_MAPS_CUT;
		return 0;
	}
	walk->facts->maps[wd_bounded(i, WD_FACTS_MAPS)] = BPF_CORE_READ(map, id);
	walk->facts->map_count = i + 1;
	return 0;
}

struct module_walk {
	struct wd_scratch *scan;
	struct bpf_kfunc_btf_tab *tab;
	struct btf *btf;
	__s32 offset;
};

static long module_is(__u32 i, void *context)
{
	struct module_walk *walk = context;
	struct bpf_kfunc_btf_tab *tab = walk->tab;
	struct bpf_kfunc_btf *entry = (void *)tab + bpf_core_field_offset(tab->descs);

	entry = (void *)entry + i * bpf_core_type_size(struct bpf_kfunc_btf);

	if (BPF_CORE_READ(entry, offset) != (__u16)walk->offset)
		return 0;
	walk->btf = BPF_CORE_READ(entry, btf);
	return 1;
}

/* Fail closed: a function of a module that the kernel's table does not have stays unnamed. */
static long resolve_kfunc(__u32 i, void *context)
{
	struct module_walk *walk = context;
	struct bpf_kfunc_btf_tab *tab = walk->tab;

	walk->offset = walk->scan->calls[wd_bounded(i, WD_KFUNC_CALLS)].offset;
	walk->btf = NULL;
	if (walk->offset == 0)
		return 0;
	if (tab)
		bpf_loop(BPF_CORE_READ(tab, nr_descs), module_is, walk, 0);
	judge_kfunc(walk->scan, walk->btf, i);
	return 0;
}

static __always_inline void resolve_modules(struct wd_scratch *scan, struct bpf_prog_aux *aux)
{
	struct module_walk walk = { .scan = scan };

	if (!scan->unresolved)
		return;
	walk.tab = BPF_CORE_READ(aux, kfunc_btf_tab);
	bpf_loop(scan->calls_count, resolve_kfunc, &walk, 0);
}

/* The program's maps, all of them; those that there is room for are named in `scan`. */
static __noinline int judge_maps(struct wd_config *cfg, struct wd_open *open,
				 struct bpf_prog_aux *aux, struct wd_scratch *scan)
{
	struct map_walk walk = { .act = &open->act };
	struct wd_matter m = { .judged = WD_JUDGE(WD_DIM_OBJECT) };

	walk.maps = BPF_CORE_READ(aux, used_maps);
	if (scan)
		walk.facts = &scan->facts;
	bpf_loop(BPF_CORE_READ(aux, used_map_cnt), map_step, &walk, 0);
	m.foreign = walk.foreign;
	wd_decide_act(open, wd_verdict(cfg, open->half, open->act.tier, open->grant, &m));
	return 0;
}

/*
 * What a program on a uprobe writes into its context goes into the registers of whoever it runs in.
 * The verifier finds that, and no helper: it counts as the one that writes into processes.
 */
static __always_inline bool writes_registers(struct bpf_prog_aux *aux)
{
	struct bpf_prog_aux___618 *newer = (void *)aux;

	return bpf_core_field_exists(newer->kprobe_write_ctx) &&
	       BPF_CORE_READ(newer, kprobe_write_ctx);
}

/*
 * lsm/bpf_prog in a load: the verifier took the program, its fd is about to be made. The facts must
 * be of this very program: the open record can be an earlier load's, whose end was skipped.
 */
static __noinline int judge_loaded(struct wd_config *cfg, struct wd_open *open,
				   struct bpf_prog_aux *aux, __u32 id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_scratch *scan = NULL;
	__u32 state = WD_SCAN_ALLOWED;

	if (open->scanned)
		scan = bpf_task_storage_get(&scans, task, 0, 0);
	if (scan && (scan->aux != (__u64)aux || scan->load_time != BPF_CORE_READ(aux, load_time)))
		scan = NULL;
	if (scan) {
		scan->facts.flags |= WD_FACT_RESOLVED;
		resolve_modules(scan, aux);
		if (writes_registers(aux))
			scan->facts.helpers[0] |= 1ULL << BPF_FUNC_probe_write_user;
		if (scan->unresolved || writes_registers(aux))
			judge_content(cfg, open, scan);
	} else {
		decide_blind(cfg, open, CONTENT, WD_RULE_UNSCANNED);
	}
	judge_maps(cfg, open, aux, scan);
	if (open->act.decision == WD_DENY)
		state = WD_SCAN_REFUSED | open->act.rule << WD_SCAN_RULE_SHIFT;
	remember((__u64)aux, WD_OBJECT_PROG, &open->act, id, state);
	if (scan)
		note_helpers((__u64)aux, scan);
	return 0;
}

#endif /* WARDEN_LOAD_H */
