/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a program calls, from the kernel's own copy of its instructions, before the verifier patches
 * them. In task storage and never per-CPU: programs of a hook can be preempted by each other, and a
 * shared buffer would let one load be judged by the instructions of another.
 */
#ifndef WARDEN_SCAN_H
#define WARDEN_SCAN_H

#include "common.h"

#define OPCODE_CALL (BPF_JMP | BPF_CALL)
#define PSEUDO_KFUNC_CALL 2
#define CODE_WAKE_EVERY (128 * WD_CHUNK)

struct scan_walk {
	struct wd_scratch *scan;
	const struct bpf_insn *program;
	bool has_kfuncs;
};

struct kfunc_search {
	struct wd_scratch *scan;
	__u32 btf_id;
	__s32 offset;
	bool found;
};

static long kfunc_is(__u32 i, void *context)
{
	struct kfunc_search *search = context;
	__u64 at = wd_bounded(i, WD_KFUNC_CALLS);
	struct wd_kfunc_call *call = &search->scan->calls[at];

	search->found = call->btf_id == search->btf_id && call->offset == search->offset;
	return search->found;
}

/* Fail closed: a kfunc that there is no room for counts as one that no grant lists. */
static __always_inline void see_kfunc(struct wd_scratch *scan, const struct bpf_insn *insn)
{
	struct kfunc_search search = {
		.scan = scan,
		.btf_id = insn->imm,
		.offset = insn->off,
	};
	__u64 count = scan->calls_count;

	bpf_loop(count, kfunc_is, &search, 0);
	if (search.found)
		return;
	if (count >= WD_KFUNC_CALLS) {
		scan->facts.flags |= WD_FACT_KFUNC_UNNAMED | WD_FACT_KFUNCS_CUT;
		scan->kfuncs[0] |= 1;
		return;
	}
	count = wd_bounded(count, WD_KFUNC_CALLS);
	scan->calls[count].btf_id = search.btf_id;
	scan->calls[count].offset = search.offset;
	scan->calls_count = count + 1;
}

static long kfunc_step(__u32 i, void *context)
{
	struct scan_walk *walk = context;
	struct bpf_insn insn = walk->scan->insns[wd_bounded(i, WD_CHUNK)];

	if (insn.code == OPCODE_CALL && insn.src_reg == PSEUDO_KFUNC_CALL)
		see_kfunc(walk->scan, &insn);
	return 0;
}

static __always_inline void see_helper(struct wd_scratch *scan, __u32 id)
{
	if (id >= WD_HELPER_WORDS * 64)
		scan->facts.flags |= WD_FACT_HELPER_BEYOND;
	else
		scan->facts.helpers[wd_bounded(id >> 6, WD_HELPER_WORDS)] |= 1ULL << (id & 63);
}

/* Sends the chunk as it stands in the scratch. Once one is lost the rest is worth nothing. */
static __always_inline void send_chunk(struct wd_scratch *scan, __u32 first, __u64 count)
{
	struct wd_ring_stats *counts = wd_ring_stats(WD_RING_CODE);
	struct wd_code *code = &scan->code;

	if (!counts || scan->code_lost)
		return;
	wd_add(&counts->attempted, 1);
	code->head.size = sizeof(*code) + count * sizeof(struct bpf_insn);
	code->head.lost = counts->lost;
	code->first = first;
	code->count = count;
	if (!bpf_ringbuf_output(&ring_code, code, sizeof(*code) + count * sizeof(struct bpf_insn),
				first % CODE_WAKE_EVERY ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP)) {
		wd_add(&counts->delivered, 1);
		return;
	}
	wd_add(&counts->lost, 1);
	wd_count_error(WD_ERR_CODE);
	scan->code_lost = 1;
}

/* Looks at the next chunk. 1 ends the walk. */
static long scan_step(__u32 i, void *context)
{
	struct scan_walk *walk = context;
	struct wd_scratch *scan = walk->scan;
	__u32 first = i * WD_CHUNK;
	__u64 left = scan->facts.insn_cnt - first;

	if (left > WD_CHUNK)
		left = WD_CHUNK;
	if (bpf_probe_read_kernel(scan->insns, left * sizeof(struct bpf_insn),
				  walk->program + first)) {
		scan->failed = 1;
		return 1;
	}
	walk->has_kfuncs = false;
	for (__u32 j = 0; j < WD_CHUNK; j++) {
		struct bpf_insn *insn = &scan->insns[j];

		if (j >= left)
			break;
		if (insn->code != OPCODE_CALL)
			continue;
		if (insn->src_reg == 0)
			see_helper(scan, insn->imm);
		else if (insn->src_reg == PSEUDO_KFUNC_CALL)
			walk->has_kfuncs = true;
	}
	if (walk->has_kfuncs)
		bpf_loop(left, kfunc_step, walk, 0);
	send_chunk(scan, first, left);
	return 0;
}

/* A name gives a class; fail closed: one that can't be told is in the class of those unlisted. */
static __always_inline void judge_kfunc(struct wd_scratch *scan, struct btf *btf, __u32 i)
{
	__u64 at = wd_bounded(i, WD_KFUNC_CALLS);
	__u64 class = 0;
	__u32 *listed;

	__builtin_memset(&scan->name, 0, sizeof(scan->name));
	if (wd_btf_name(btf, scan->calls[at].btf_id, scan->name.name, WD_KFUNC_NAME) <= 1) {
		scan->facts.flags |= WD_FACT_KFUNC_UNNAMED;
	} else {
		listed = bpf_map_lookup_elem(&kfuncs, &scan->name);
		class = listed ? wd_bounded(*listed, WD_KFUNC_WORDS * 64) : 0;
	}
	scan->kfuncs[wd_bounded(class >> 6, WD_KFUNC_WORDS)] |= 1ULL << (class & 63);
	if (i < WD_FACTS_KFUNCS)
		__builtin_memcpy(scan->facts.kfuncs[wd_bounded(i, WD_FACTS_KFUNCS)].name,
				 scan->name.name, WD_KFUNC_NAME);
}

/* Before the verifier: those of vmlinux have a name, those of modules a place in the list. */
static long list_kfunc(__u32 i, void *context)
{
	struct scan_walk *walk = context;
	struct wd_scratch *scan = walk->scan;
	__u64 at = wd_bounded(i, WD_KFUNC_CALLS);
	bool of_module = scan->calls[at].offset != 0;
	struct wd_kfunc *named;

	if (i < WD_FACTS_KFUNCS) {
		named = &scan->facts.kfuncs[wd_bounded(i, WD_FACTS_KFUNCS)];
		named->btf_id = scan->calls[at].btf_id;
		named->module = of_module;
		scan->facts.kfunc_count = i + 1;
	} else {
		scan->facts.flags |= WD_FACT_KFUNCS_CUT;
	}
	if (of_module)
		scan->unresolved++;
	else
		judge_kfunc(scan, (struct btf *)kernel_btf, i);
	return 0;
}

/* More than the compiler would clear in line. */
static const char no_facts[sizeof(struct wd_facts)];

static __always_inline void clear_scratch(struct wd_scratch *scan)
{
	bpf_probe_read_kernel(&scan->facts, sizeof(scan->facts), no_facts);
	__builtin_memset(scan->kfuncs, 0, sizeof(scan->kfuncs));
	__builtin_memset(&scan->code, 0, sizeof(scan->code));
	scan->calls_count = 0;
	scan->unresolved = 0;
	scan->failed = 0;
	scan->code_lost = 0;
}

static __always_inline void read_signature(struct bpf_prog_aux *aux, struct wd_facts *facts)
{
	struct bpf_prog_aux___72 *signing = (void *)aux;

	if (!bpf_core_field_exists(signing->sig))
		return;
	facts->flags |= WD_FACT_SIGNATURE;
	facts->signature = BPF_CORE_READ(signing, sig.verdict);
	facts->keyring_type = BPF_CORE_READ(signing, sig.keyring_type);
	facts->keyring_serial = BPF_CORE_READ(signing, sig.keyring_serial);
}

#define SIGNATURE_VERIFIED 1   /* enum bpf_sig_verdict */

/* Who signed the program that the open call runs. */
static __always_inline void read_signer(struct bpf_prog_aux *aux, struct wd_open *open)
{
	struct bpf_prog_aux___72 *signing = (void *)aux;

	if (!bpf_core_field_exists(signing->sig) ||
	    BPF_CORE_READ(signing, sig.verdict) != SIGNATURE_VERIFIED)
		return;
	open->run_signer = BPF_CORE_READ(signing, sig.keyring_type);
	open->run_serial = BPF_CORE_READ(signing, sig.keyring_serial);
}

static __always_inline bool is_sleepable(struct bpf_prog *prog, struct bpf_prog_aux *aux)
{
	struct bpf_prog___69 *newer = (void *)prog;
	struct bpf_prog_aux___61 *older = (void *)aux;

	if (bpf_core_field_exists(newer->sleepable))
		return BPF_CORE_READ_BITFIELD_PROBED(newer, sleepable);
	return BPF_CORE_READ(older, sleepable);
}

/* What the kernel has made of the attributes by now. */
static __always_inline void read_program(struct bpf_prog *prog, struct wd_facts *facts)
{
	struct bpf_prog_aux *aux = BPF_CORE_READ(prog, aux);
	struct btf *btf = BPF_CORE_READ(aux, attach_btf);

	facts->insn_cnt = BPF_CORE_READ(prog, len);
	facts->prog_type = BPF_CORE_READ(prog, type);
	facts->attach_type = BPF_CORE_READ(prog, expected_attach_type);
	facts->attach_btf_id = BPF_CORE_READ(aux, attach_btf_id);
	if (is_sleepable(prog, aux))
		facts->flags |= WD_FACT_SLEEPABLE;
	read_signature(aux, facts);
	if (!btf)
		btf = BPF_CORE_READ(aux, dst_prog, aux, btf);
	if (facts->attach_btf_id)
		wd_btf_name(btf, facts->attach_btf_id, facts->attach, WD_TARGET_NAME);
}

/* Scans `prog` into a scratch of the load that began at `boot_ns`; `failed` when it can't. */
static __noinline int scan_program(struct wd_scratch *scan, struct bpf_prog *prog, __u64 boot_ns)
{
	struct scan_walk walk = { .scan = scan };

	clear_scratch(scan);
	scan->aux = (__u64)BPF_CORE_READ(prog, aux);
	scan->load_time = BPF_CORE_READ(prog, aux, load_time);
	read_program(prog, &scan->facts);
	walk.program = (void *)prog + bpf_core_field_offset(struct bpf_prog, insnsi);
	scan->code.head.kind = WD_RECORD_CODE;
	scan->code.head.layout = WD_LAYOUT_VERSION;
	scan->code.head.boot_ns = bpf_ktime_get_boot_ns();
	scan->code.load_boot_ns = boot_ns;
	scan->code.tid = (__u32)bpf_get_current_pid_tgid();
	scan->code.total = scan->facts.insn_cnt;
	bpf_loop((scan->facts.insn_cnt + WD_CHUNK - 1) / WD_CHUNK, scan_step, &walk, 0);
	bpf_loop(scan->calls_count, list_kfunc, &walk, 0);
	if (!scan->failed && !scan->code_lost)
		scan->facts.flags |= WD_FACT_CAPTURED;
	return 0;
}

#endif /* WARDEN_SCAN_H */
