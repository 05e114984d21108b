/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One write of 0 to kernel.ftrace_enabled stops every trampoline, and with it each hook of ours,
 * without bpf(2). This program is on the root cgroup and hangs on none, so that it runs all the
 * same. Nobody may, we neither: whoever needs it unloads the guard first.
 *
 * The helpers of task storage are not for its type: it knows the task by uid and pid only.
 */
#ifndef WARDEN_SYSCTL_H
#define WARDEN_SYSCTL_H

#include "protect.h"

static const char FTRACE_ENABLED[] = "kernel/ftrace_enabled";

static __noinline int record_sysctl(const struct wd_config *cfg, __u32 decision)
{
	struct wd_stats *all = wd_stats();
	__u64 ids = bpf_get_current_pid_tgid();
	struct wd_act act = {
		.head.boot_ns = bpf_ktime_get_boot_ns(),
		.command = WD_SYSCTL,
		.via = WD_VIA_SYSCALL,
		.result = decision == WD_DENY ? -EPERM : 0,
		.decision = decision,
		.rule = WD_RULE_PROTECTED,
		.exe_flags = WD_EXE_NONE,
		.auid = WD_NO_ID,
		.session = WD_NO_ID,
	};

	if (!all || !is_newest(cfg))
		return 0;
	act.pid = ids >> 32;
	act.tid = (__u32)ids;
	act.uid = act.euid = (__u32)bpf_get_current_uid_gid();
	act.subject.kind = WD_SUBJECT_UID;
	act.subject.id = act.uid;
	act.tier = cfg->policy[wd_bounded(cfg->half, WD_POLICY_HALVES)].default_tier;
	bpf_get_current_comm(act.comm, sizeof(act.comm));
	wd_add(&all->acts, 1);
	wd_send(WD_RING_DENY, &act, sizeof(act));
	return 0;
}

/* Fails open: a name or value that can't be read is none that we know. */
SEC("cgroup/sysctl")
int guard_sysctl(struct bpf_sysctl *ctx)
{
	char name[sizeof(FTRACE_ENABLED) + 1] = {}, value[2] = {};
	struct wd_config *cfg;
	__u32 protect;

	if (!ctx->write)
		return 1;
	if (bpf_sysctl_get_name(ctx, name, sizeof(name), 0) != sizeof(FTRACE_ENABLED) - 1)
		return 1;
	for (__u32 i = 0; i < sizeof(FTRACE_ENABLED) - 1; i++)
		if (name[i] != FTRACE_ENABLED[i])
			return 1;
	cfg = active_config();
	protect = cfg ? protection(cfg, cfg->half) : WD_PROTECT_OFF;
	if (protect == WD_PROTECT_OFF)
		return 1;
	bpf_sysctl_get_new_value(ctx, value, sizeof(value));
	if (value[0] == '1')
		return 1;
	record_sysctl(cfg, protect == WD_PROTECT_ENFORCE ? WD_DENY : WD_WOULD_DENY);
	return protect != WD_PROTECT_ENFORCE;
}

#endif /* WARDEN_SYSCTL_H */
