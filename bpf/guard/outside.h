/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Acts that are no bpf(2): each is begun, judged and ended within one hook, in task storage of its
 * own, so that a bpf(2) that is open in the same task stays as it is.
 *
 * Fail open, and counted: without that storage the act is neither judged by tier nor recorded. What
 * would reach the guard itself is refused all the same.
 */
#ifndef WARDEN_OUTSIDE_H
#define WARDEN_OUTSIDE_H

#include "domain.h"
#include "protect.h"

#if defined(__TARGET_ARCH_x86)
#define NR_IOCTL 16
#define NR_SENDTO 44
#define NR_SENDMSG 46
#define NR_SETSOCKOPT 54
#define NR_IO_URING_ENTER 426
#elif defined(__TARGET_ARCH_arm64)
#define NR_IOCTL 29
#define NR_SENDTO 206
#define NR_SETSOCKOPT 208
#define NR_SENDMSG 211
#define NR_IO_URING_ENTER 426
#endif

/* The way that a program is being attached by, from the system call the task is in. */
static __always_inline __u32 via_of(struct task_struct *task)
{
	switch (wd_nr((struct pt_regs *)bpf_task_pt_regs(task))) {
	case NR_IOCTL:
		return WD_VIA_PERF_IOCTL;
	case NR_SENDTO:
	case NR_SENDMSG:
		return WD_VIA_NETLINK;
	case NR_SETSOCKOPT:
		return WD_VIA_SETSOCKOPT;
	case NR_IO_URING_ENTER:
		return WD_VIA_IO_URING;
	default:
		return WD_VIA_SYSCALL;
	}
}

/*
 * Where the act's record grows. NULL for an act of our own, without memory, and for a guard that a
 * newer one has taken over from: that has recorded the act, and this one only refuses on.
 */
static __noinline struct wd_open *begin_outside(struct wd_config *cfg, __u32 command, __u32 via)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_task *store = bpf_task_storage_get(&tasks, task, 0, 0);
	struct wd_stats *all = wd_stats();
	struct wd_open *open;

	if (!all || !is_newest(cfg))
		return NULL;
	if (is_ours(store)) {
		wd_add(&all->own_acts, 1);
		return NULL;
	}
	open = bpf_task_storage_get(&outside, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	wd_add(&all->acts, 1);
	if (!open) {
		wd_count_error(WD_ERR_TASK_STORAGE);
		wd_count_lost(WD_RING_OBJECT);
		return NULL;
	}
	__builtin_memset(&open->act, 0, sizeof(open->act));
	__builtin_memset(open->attr, 0, sizeof(open->attr));
	wd_start(open, command, 0, 0);
	open->act.via = via;
	wd_know_who(cfg, open, store != NULL);
	return open;
}

/* Records the act; true when it is refused. */
static __noinline int end_outside(struct wd_config *cfg, struct wd_open *open)
{
	struct wd_act *act = &open->act;

	open->active = WD_CLOSED;
	if (act->decision == WD_DENY) {
		act->result = -EPERM;
		set_off_reflex(cfg, open);
	}
	wd_record(cfg, open, wd_ring_of(act->command, act->decision));
	return act->decision == WD_DENY;
}

/* What takes pins away, or the mount that they are in. */
static __always_inline bool takes_away(__u32 command)
{
	return command == WD_PIN_UNLINK || command == WD_PIN_RENAME || command == WD_UMOUNT ||
	       command == WD_MOUNT;
}

/*
 * True for one of ours, but not for who was shown others' objects in the place of the guard's:
 * somebody has mounted what it finds. Nor for what is sealed, whatever it was shown of a seal.
 */
static __always_inline bool is_trusted(const struct wd_config *cfg, __u32 role, __u32 command)
{
	if (role == WD_ROLE_NONE)
		return false;
	if (!protects(cfg))
		return true;
	return !(role & WD_ROLE_OPENED_OTHERS) &&
	       (!cfg->sealed || !takes_away(command) || role & WD_ROLE_UNSEALED);
}

/* An act that is only about the guard itself. `name` may be NULL. True when it is refused. */
static __noinline int tampers(struct wd_config *cfg, __u32 command, __u32 via, const void *name)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_task *store = bpf_task_storage_get(&tasks, task, 0, 0);
	struct wd_open *open;

	if (is_trusted(cfg, store ? store->role : WD_ROLE_NONE, command) ||
	    protection(cfg, cfg->half) == WD_PROTECT_OFF)
		return 0;
	if (store)
		store->role = WD_ROLE_NONE;
	open = begin_outside(cfg, command, via);
	if (!open)
		return protects(cfg);
	*(const void **)open->attr = name;
	judge_tampering(cfg, open);
	return end_outside(cfg, open);
}

static __always_inline void judge_command(struct wd_config *cfg, struct wd_open *open)
{
	struct wd_matter m = {
		.judged = WD_JUDGE(WD_DIM_COMMAND),
		.command = open->act.command,
	};

	wd_decide_act(open, wd_verdict(cfg, open->half, open->act.tier, open->grant, &m));
}

/*
 * Whether the object of `kind` at `data` is ours, or somebody else's. Fills the act's object.
 * `fmode`: 1 to read, 2 to write or take away.
 */
static __noinline int judge_object(struct wd_config *cfg, struct wd_open *open, __u32 kind,
				   void *data, __u32 fmode)
{
	struct wd_object *object = &open->act.object;
	__u64 address = (__u64)data;

	object->kind = kind;
	switch (kind) {
	case WD_OBJECT_PROG:
		wd_fill_prog(data, object);
		address = (__u64)BPF_CORE_READ((struct bpf_prog *)data, aux);
		break;
	case WD_OBJECT_MAP:
		wd_fill_map(data, object);
		break;
	case WD_OBJECT_LINK:
		wd_fill_link(data, object);
		break;
	}
	if (wd_is_ours(kind, object->id))
		return judge_tampering(cfg, open);
	judge_maker(cfg, open, address, fmode);
	return 0;
}

#endif /* WARDEN_OUTSIDE_H */
