// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Mode `lsm`: sees every bpf(2) and its result, judges it, and refuses what the policy enforces.
 *
 *	lsm/bpf				begin of a call: attributes, identity, decision
 *	fexit/__sys_bpf			its end: result, object, record or counter
 *	lsm/bpf_prog_load		scan of a program, refused by what it calls (6.9 and later)
 *	fentry/bpf_check		scan of a program (before 6.9)
 *	lsm/bpf_prog, lsm/bpf_map	an fd is made: what the verifier found, and whose it is
 *	lsm/bpf_prog_free, bpf_map_free	what is gone is forgotten (other names before 6.9)
 *	lsm/task_alloc			identity goes to the child
 *	lsm.s/bprm_committed_creds	identity is taken from the file that was executed
 *	lsm/task_fix_setuid		a lowered subject is carried along
 *	cgroup/sysctl			ftrace_enabled stays 1 (sysctl.h)
 *	ways into BPF and to the guard that are not bpf(2): ways.h, pins.h, mounts.h
 *	tp_btf/sched_process_exit, iterators, syscall programs	as in lib/common.h
 *
 * How each fails is said at it. Whatever fails, a policy that enforces nothing refuses nothing.
 */
#include "kernel.h"
#include <asm-generic/errno-base.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#define WD_OLDER_ACTS 1
#include "call.h"
#include "common.h"
#include "issue.h"
#include "load.h"
#include "pins.h"
#include "sysctl.h"
#include "ways.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Fails closed: without memory for a record the command is judged all the same. */
SEC("lsm/bpf")
int BPF_PROG(guard_bpf, int cmd, union bpf_attr *attr, unsigned int size)
{
	struct wd_call call = {
		.command = cmd,
		.attr = (__u64)attr,
		.attr_size = size,
	};

	return refusal(enter(&call));
}

/*
 * Fails open: nothing is refused here. The kernel skips it while another task is in the middle of
 * it on the same CPU; the record then goes without a result at the task's next call or its exit.
 *
 * int __sys_bpf(int cmd, bpfptr_t uattr, unsigned int size, ...): the second takes two registers,
 * an address and whether it is the kernel's.
 */
SEC("fexit/__sys_bpf")
int guard_bpf_exit(__u64 *ctx)
{
	__u64 cmd = 0, attr = 0, is_kernel = 0, size = 0, result = 0;
	struct wd_call call = {};

	if (bpf_get_func_arg(ctx, 0, &cmd) || bpf_get_func_arg(ctx, 1, &attr) ||
	    bpf_get_func_arg(ctx, 2, &is_kernel) || bpf_get_func_arg(ctx, 3, &size) ||
	    bpf_get_func_ret(ctx, &result))
		return 0;
	call.command = (__u32)cmd & ~WD_COMMON_ATTRS;
	call.attr = attr;
	call.attr_size = size;
	leave(&call, (int)result, is_kernel & 1);
	return 0;
}

/* Fails closed: a program that can't be looked into is refused where its content is enforced. */
SEC("lsm/bpf_prog_load")
int BPF_PROG(guard_prog_load, struct bpf_prog *prog)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_task *store = bpf_task_storage_get(&tasks, task, 0, 0);
	struct wd_config *cfg = active_config();
	struct wd_stats *all = wd_stats();
	struct wd_open *open;

	if (!cfg || !all || is_ours(store))
		return 0;
	open = open_call_of(task);
	if (!open)
		return refusal(refused_outside(cfg, 0, CONTENT));
	if (!open->scanned || is_newest(cfg))
		scan_load(cfg, open, prog);
	return refusal(refuse_decided(cfg, all, open));
}

/*
 * int bpf_check(struct bpf_prog **prog, ...). Fails closed: guard_prog refuses a program without a
 * scan, which is one that this was skipped for.
 */
SEC("fentry/bpf_check")
int guard_prog_check(__u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_config *cfg = active_config();
	struct bpf_prog *prog = NULL;
	struct wd_open *open;
	__u64 address = 0;

	if (!cfg || role_of(task) != WD_ROLE_NONE)
		return 0;
	open = open_call_of(task);
	if (!open || (open->scanned && !is_newest(cfg)) || bpf_get_func_arg(ctx, 0, &address) ||
	    bpf_probe_read_kernel(&prog, sizeof(prog), (void *)address) || !prog)
		return 0;
	scan_load(cfg, open, prog);
	return 0;
}

/*
 * int bpf_prog_test_run_syscall(struct bpf_prog *prog, ...). Fails closed: without it what the
 * program loads counts as not signed.
 */
SEC("fentry/bpf_prog_test_run_syscall")
int guard_run(__u64 *ctx)
{
	struct wd_open *open = open_call_of(bpf_get_current_task_btf());
	__u64 prog = 0;

	if (!open || open->act.command != BPF_PROG_TEST_RUN || bpf_get_func_arg(ctx, 0, &prog))
		return 0;
	read_signer(BPF_CORE_READ((struct bpf_prog *)prog, aux), open);
	return 0;
}

/* Fails closed: whoever can't be judged gets no fd where the policy enforces what it might be. */
SEC("lsm/bpf_prog")
int BPF_PROG(guard_prog, struct bpf_prog *prog)
{
	return refusal(issue_prog(prog));
}

/* Fails closed, likewise. */
SEC("lsm/bpf_map")
int BPF_PROG(guard_map, struct bpf_map *map, unsigned int fmode)
{
	return refusal(issue_map(map, fmode));
}

/* The four below run in workers, where nobody is judged. They can only fail by not running. */
static __always_inline int forget(__u64 address)
{
	bpf_map_delete_elem(&objects, &address);
	return 0;
}

SEC("lsm/bpf_prog_free")
int BPF_PROG(guard_prog_free, struct bpf_prog *prog)
{
	return forget((__u64)BPF_CORE_READ(prog, aux));
}

SEC("lsm/bpf_prog_free_security")
int BPF_PROG(guard_prog_free_aux, struct bpf_prog_aux *aux)
{
	return forget((__u64)aux);
}

SEC("lsm/bpf_map_free")
int BPF_PROG(guard_map_free, struct bpf_map *map)
{
	return forget((__u64)map);
}

SEC("lsm/bpf_map_free_security")
int BPF_PROG(guard_map_free_old, struct bpf_map *map)
{
	return forget((__u64)map);
}

/* Fails closed: the child has no label, so it is nobody we know. */
SEC("lsm/task_alloc")
int BPF_PROG(guard_fork, struct task_struct *child)
{
	struct wd_config *cfg = active_config();

	if (cfg)
		wd_on_fork(bpf_get_current_task_btf(), child, wd_policy(cfg), cfg->half);
	return 0;
}

/* A file that was written over since it loaded us is not ours, although its inode is. */
static __always_inline bool is_changed_self(const struct wd_config *cfg,
					    const struct wd_task *store)
{
	const __u64 *want = (const __u64 *)cfg->self_digest, *have = (const __u64 *)store->digest;
	__u64 differs = 0;

	for (__u32 i = 0; i < WD_DIGEST_LEN / sizeof(__u64); i++)
		differs |= want[i] ^ have[i];
	return wd_same_exe(&store->exe, &cfg->self) && differs;
}

/*
 * Fails closed: no label is no loader; a label without a digest is a weaker one, and says so. Made
 * sleepable by warden-load, for the digest.
 */
SEC("lsm/bprm_committed_creds")
int BPF_PROG(guard_exec, struct linux_binprm *bprm)
{
	struct wd_config *cfg = active_config();
	struct wd_task *store;

	if (!cfg)
		return 0;
	store = wd_on_exec(bpf_get_current_task_btf(), bprm->file, wd_policy(cfg), cfg->half);
	if (!store || !is_lsm ||
	    bpf_ima_file_hash(bprm->file, store->digest, sizeof(store->digest)) !=
		    HASH_ALGO_SHA256)
		return 0;
	store->has_digest = 1;
	if (is_changed_self(cfg, store))
		store->role = WD_ROLE_NONE;
	return 0;
}

/* Fails open: without memory the task goes on as whom it becomes. Never refuses. */
SEC("lsm/task_fix_setuid")
int BPF_PROG(guard_setuid, struct cred *new, const struct cred *old)
{
	struct wd_config *cfg = active_config();

	if (cfg && new->uid.val != old->uid.val)
		wd_on_setuid(bpf_get_current_task_btf(), wd_policy(cfg), cfg->half);
	return 0;
}
