/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which system call is a bpf(2), on every way into the kernel, and its three arguments.
 *
 * x86-64: 321; 357 by int 0x80 or a 32-bit task (TS_COMPAT tells); 321 with the x32 bit.
 * arm64: 280; 386 for a 32-bit task.
 */
#ifndef WARDEN_SYSCALL_H
#define WARDEN_SYSCALL_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>

/* 7.0 and later: the command may carry this bit, which says that a fourth argument follows. */
#define WD_COMMON_ATTRS (1U << 16)

struct wd_call {
	__u32 command;
	__u32 attr_size;
	__u64 attr;
	bool compat;
};

#if defined(__TARGET_ARCH_x86)

#define WD_NR_BPF 321
#define WD_NR_BPF_COMPAT 357
#define WD_X32_BIT 0x40000000
#define WD_TS_COMPAT 2

/* Runs on every system call of the machine: keep it to a compare or two. */
static __always_inline bool wd_maybe_bpf(long nr)
{
	return (nr & ~WD_X32_BIT) == WD_NR_BPF || nr == WD_NR_BPF_COMPAT;
}

static __always_inline long wd_nr(struct pt_regs *regs)
{
	return regs->orig_ax;
}

/* False when the number means something else in the task's own table. */
static __always_inline bool wd_call_of(struct pt_regs *regs, long nr, struct wd_call *ret_call)
{
	struct task_struct *task = bpf_get_current_task_btf();

	ret_call->compat = task->thread_info.status & WD_TS_COMPAT;
	if (ret_call->compat != (nr == WD_NR_BPF_COMPAT))
		return false;
	if (ret_call->compat) {
		ret_call->command = (__u32)regs->bx;
		ret_call->attr = (__u32)regs->cx;
		ret_call->attr_size = (__u32)regs->dx;
		return true;
	}
	ret_call->command = (__u32)regs->di;
	ret_call->attr = regs->si;
	ret_call->attr_size = (__u32)regs->dx;
	return true;
}

#elif defined(__TARGET_ARCH_arm64)

#define WD_NR_BPF 280
#define WD_NR_BPF_COMPAT 386
#define WD_TIF_32BIT (1UL << 22)

static __always_inline bool wd_maybe_bpf(long nr)
{
	return nr == WD_NR_BPF || nr == WD_NR_BPF_COMPAT;
}

static __always_inline long wd_nr(struct pt_regs *regs)
{
	return regs->syscallno;
}

static __always_inline bool wd_call_of(struct pt_regs *regs, long nr, struct wd_call *ret_call)
{
	struct task_struct *task = bpf_get_current_task_btf();

	ret_call->compat = task->thread_info.flags & WD_TIF_32BIT;
	if (ret_call->compat != (nr == WD_NR_BPF_COMPAT))
		return false;
	ret_call->command = (__u32)regs->orig_x0;
	ret_call->attr = regs->regs[1];
	ret_call->attr_size = (__u32)regs->regs[2];
	return true;
}

#endif

#endif /* WARDEN_SYSCALL_H */
