/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Ways into BPF that are not bpf(2), but for those of files (pins.h). What the hook of the way
 * itself refuses is recorded there; what goes through is recorded with the program that the kernel
 * found, which no fd table of another thread can change any more.
 *
 *	lsm/socket_setsockopt		SO_ATTACH_BPF and its like, by io_uring too; classic filters
 *	lsm/file_ioctl, _compat		PERF_EVENT_IOC_SET_BPF, tun
 *	lsm/netlink_send		XDP, cls_bpf and act_bpf
 *	lsm/file_receive		an fd of an object, by SCM_RIGHTS or pidfd_getfd
 *	lsm/mmap_file			a map; code of a loader that may map no other than is listed
 *	lsm/file_mprotect		the same, when a mapping becomes executable later
 *	fexit/bpf_prog_get_type_dev, bpf_prog_get	the program that goes through
 *	fexit/bpf_link_prime		the link that a bpf(2) makes
 *	fentry/bpf_prog_create_from_user	a seccomp filter, counted
 */
#ifndef WARDEN_WAYS_H
#define WARDEN_WAYS_H

#include "code.h"
#include "netlink.h"
#include "outside.h"

#define SOL_SOCKET_LEVEL 1
#define SO_ATTACH_FILTER_OPTION 26
#define SO_ATTACH_BPF_OPTION 50
#define SO_ATTACH_REUSEPORT_CBPF_OPTION 51
#define SO_ATTACH_REUSEPORT_EBPF_OPTION 52
#define SOL_PACKET_LEVEL 263
#define PACKET_FANOUT_DATA_OPTION 22

#define FAMILY_NETLINK 16
#define FAMILY_PACKET 17
#define TYPE_RAW 3

#define IOC_PERF_SET_BPF 0x40042408
#define IOC_TUN_STEERING 0x800454e0
#define IOC_TUN_FILTER 0x800454e1

/* True when tier or loader may not attach outside bpf(2), and that is enforced. */
static __noinline int may_not_attach(struct wd_config *cfg)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_task *store = bpf_task_storage_get(&tasks, task, 0, 0);
	struct wd_matter m = { .judged = WD_JUDGE(WD_DIM_COMMAND), .command = WD_ATTACH };
	__u64 half = wd_bounded(cfg->half, WD_POLICY_HALVES);
	struct wd_who who = {};

	if (is_ours(store))
		return 0;
	wd_identify(task, store, wd_policy(cfg), half, WD_ATTACH, &who);
	return !who.tier.observed &&
	       wd_verdict(cfg, half, who.tier.tier, who.grant, &m).decision == WD_DENY;
}

/* Fails open without memory for a record, as all of outside.h. True when it is refused. */
static __noinline int refused_attach(struct wd_config *cfg, __u32 via)
{
	struct wd_open *open;

	if (!may_not_attach(cfg))
		return 0;
	open = begin_outside(cfg, WD_ATTACH, via);
	if (!open)
		return 1;
	judge_command(cfg, open);
	return end_outside(cfg, open);
}

static __always_inline void count_classic(const struct wd_config *cfg, enum wd_classic which)
{
	struct wd_stats *all = wd_stats();

	if (all && cfg && is_newest(cfg))
		wd_add(&all->classic[which], 1);
}

/*
 * A classic filter on a packet or raw socket is how a backdoor listens without a port, and how
 * tcpdump and DHCP clients do: refused to those whom nobody trusts any more. All others live on
 * filters and are counted.
 */
static __noinline int refused_filter(struct wd_config *cfg, struct sock *sk)
{
	struct wd_verdict verdict = { .decision = WD_WOULD_DENY, .rule = WD_RULE_FILTER };
	struct wd_open *open;
	__u32 family;

	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family == FAMILY_NETLINK) {
		count_classic(cfg, WD_CLASSIC_NETLINK);
		return 0;
	}
	if (family != FAMILY_PACKET && BPF_CORE_READ(sk, sk_type) != TYPE_RAW) {
		count_classic(cfg, WD_CLASSIC_OTHER);
		return 0;
	}
	count_classic(cfg, WD_CLASSIC_PACKET);
	open = begin_outside(cfg, WD_FILTER, WD_VIA_SETSOCKOPT);
	if (!open)
		return 0;
	if (enforced(cfg, open->half, open->act.tier, open->grant) & WD_JUDGE(WD_DIM_COMMAND))
		verdict.decision = WD_DENY;
	if (open->act.tier <= WD_TIER_QUARANTINED)
		wd_decide_act(open, verdict);
	return end_outside(cfg, open);
}

/* Fails open. */
SEC("lsm/socket_setsockopt")
int BPF_PROG(guard_setsockopt, struct socket *sock, int level, int option)
{
	struct wd_config *cfg;

	if (level == SOL_PACKET_LEVEL && option == PACKET_FANOUT_DATA_OPTION) {
		cfg = active_config();
		return refusal(cfg && refused_attach(cfg, via_of(bpf_get_current_task_btf())));
	}
	if (level != SOL_SOCKET_LEVEL)
		return 0;
	switch (option) {
	case SO_ATTACH_BPF_OPTION:
	case SO_ATTACH_REUSEPORT_EBPF_OPTION:
		cfg = active_config();
		return refusal(cfg && refused_attach(cfg, via_of(bpf_get_current_task_btf())));
	case SO_ATTACH_FILTER_OPTION:
	case SO_ATTACH_REUSEPORT_CBPF_OPTION:
		cfg = active_config();
		return refusal(cfg && refused_filter(cfg, sock->sk));
	}
	return 0;
}

static __always_inline int ioctl_of(unsigned int cmd)
{
	struct wd_config *cfg;

	if (cmd != IOC_PERF_SET_BPF && cmd != IOC_TUN_STEERING && cmd != IOC_TUN_FILTER)
		return 0;
	cfg = active_config();
	return refusal(cfg && refused_attach(cfg, cmd == IOC_PERF_SET_BPF ? WD_VIA_PERF_IOCTL :
									   WD_VIA_IOCTL));
}

/* Fail open, both. */
SEC("lsm/file_ioctl")
int BPF_PROG(guard_ioctl, struct file *file, unsigned int cmd)
{
	return ioctl_of(cmd);
}

SEC("lsm/file_ioctl_compat")
int BPF_PROG(guard_ioctl_compat, struct file *file, unsigned int cmd)
{
	return ioctl_of(cmd);
}

/* Fails open; a message too long to be looked through counts as one that attaches. */
SEC("lsm/netlink_send")
int BPF_PROG(guard_netlink, struct sock *sk, struct sk_buff *skb)
{
	struct wd_config *cfg;

	if (sk->sk_protocol != PROTOCOL_ROUTE || !attaches_program(skb))
		return 0;
	cfg = active_config();
	return refusal(cfg && refused_attach(cfg, WD_VIA_NETLINK));
}

/* An object that comes to the task by another way than bpf(2). True when it is refused. */
static __noinline int refused_object(struct wd_config *cfg, __u32 command, __u32 kind, void *data)
{
	struct wd_open *open = begin_outside(cfg, command, WD_VIA_SYSCALL);

	if (!open)
		return 0;
	judge_object(cfg, open, kind, data, MODE_READ | MODE_WRITE);
	return end_outside(cfg, open);
}

/* Fails open. */
SEC("lsm/file_receive")
int BPF_PROG(guard_receive, struct file *file)
{
	__u32 kind = wd_kind_of(file);
	struct wd_config *cfg;

	if (kind == WD_OBJECT_NONE || kind == WD_OBJECT_BTF)
		return 0;
	cfg = active_config();
	return refusal(cfg && refused_object(cfg, WD_FD_RECEIVE, kind,
					     BPF_CORE_READ(file, private_data)));
}

#define PROTECTION_WRITE 2     /* PROT_WRITE */
#define PROTECTION_EXECUTE 4   /* PROT_EXEC */

/* Mapping a map to write is every update from then on, and to read every look-up. */
static __noinline int refused_mapping(struct wd_config *cfg, struct bpf_map *map, bool writes)
{
	struct wd_open *open = begin_outside(cfg, WD_MAP_MMAP, WD_VIA_SYSCALL);
	struct wd_matter m = {
		.judged = WD_JUDGE(WD_DIM_COMMAND),
		.command = writes ? BPF_MAP_UPDATE_ELEM : BPF_MAP_LOOKUP_ELEM,
	};

	if (!open)
		return 0;
	wd_decide_act(open, wd_verdict(cfg, open->half, open->act.tier, open->grant, &m));
	judge_object(cfg, open, WD_OBJECT_MAP, map, writes ? MODE_READ | MODE_WRITE : MODE_READ);
	return end_outside(cfg, open);
}

/*
 * A map: fails open. What is written through the mapping afterwards no hook sees.
 * Code: fails closed, as code.h says. Made sleepable by warden-load, for the digest.
 */
SEC("lsm/mmap_file")
int BPF_PROG(guard_mmap, struct file *file, unsigned long asked, unsigned long protection)
{
	struct wd_config *cfg;

	if (!file)
		return 0;
	/* The function that asks all LSMs has flags in its place. */
	if (!is_lsm)
		protection = asked;
	if (protection & PROTECTION_EXECUTE)
		return mapped_code(file);
	if (!file_operations[WD_OBJECT_MAP] ||
	    (__u64)file->f_op != file_operations[WD_OBJECT_MAP])
		return 0;
	cfg = active_config();
	return refusal(cfg && refused_mapping(cfg, BPF_CORE_READ(file, private_data),
					      asked & PROTECTION_WRITE));
}

/* Without the file's content: nobody makes a library's pages executable later, but who hides. */
SEC("lsm/file_mprotect")
int BPF_PROG(guard_mprotect, struct vm_area_struct *vma, unsigned long asked,
	     unsigned long protection)
{
	struct wd_exe_key key = {};
	struct wd_task *store;
	struct file *file;

	if (!(protection & PROTECTION_EXECUTE))
		return 0;
	file = BPF_CORE_READ(vma, vm_file);
	store = file ? listed_store() : NULL;
	if (!store)
		return 0;
	wd_exe_key_probed(file, &key);
	mix(store, &key, NULL);
	return 0;
}

/* A program that the kernel was given outside bpf(2): it goes through, whatever the verdict is. */
static __noinline int attached(__u64 address)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_config *cfg = active_config();
	struct wd_open *open;

	/* The kernel's error pointers are the last page of the address space. */
	if (!cfg || !address || address > -4096ULL || open_call_of(task))
		return 0;
	open = begin_outside(cfg, WD_ATTACH, via_of(task));
	if (!open)
		return 0;
	open->late = 1;
	judge_command(cfg, open);
	open->act.object.kind = WD_OBJECT_PROG;
	wd_fill_prog((void *)address, &open->act.object);
	end_outside(cfg, open);
	return 0;
}

/* Fail open: they only observe. */
SEC("fexit/bpf_prog_get_type_dev")
int guard_prog_get_type(__u64 *ctx)
{
	__u64 prog = 0;

	bpf_get_func_ret(ctx, &prog);
	return attached(prog);
}

SEC("fexit/bpf_prog_get")
int guard_prog_get(__u64 *ctx)
{
	__u64 prog = 0;

	bpf_get_func_ret(ctx, &prog);
	return attached(prog);
}

/*
 * int bpf_link_prime(struct bpf_link *link, struct bpf_link_primer *primer). Fails open: without it
 * the record has the link that the returned fd led to. Remembered by address, and by its number:
 * asking for an fd by that has no hook that has the link. No address is as small.
 */
SEC("fexit/bpf_link_prime")
int guard_link(__u64 *ctx)
{
	struct wd_open *open = open_call_of(bpf_get_current_task_btf());
	__u64 link = 0, primer = 0, result = 0;

	if (!open || !active_config() || bpf_get_func_arg(ctx, 0, &link) ||
	    bpf_get_func_arg(ctx, 1, &primer) || bpf_get_func_ret(ctx, &result) || (int)result)
		return 0;
	open->act.object.kind = WD_OBJECT_LINK;
	wd_fill_link((void *)link, &open->act.object);
	open->act.object.id = BPF_CORE_READ((struct bpf_link_primer *)primer, id);
	open->act.flags |= WD_ACT_PRIMED;
	remember(link, WD_OBJECT_LINK, &open->act, open->act.object.id, WD_SCAN_NONE);
	remember(open->act.object.id, WD_OBJECT_LINK, &open->act, open->act.object.id,
		 WD_SCAN_NONE);
	return 0;
}

/* Fails open: a stale owner is overwritten when the address is another link's. */
SEC("fentry/bpf_link_free")
int guard_link_free(__u64 *ctx)
{
	__u64 link = 0, id;

	if (bpf_get_func_arg(ctx, 0, &link))
		return 0;
	id = BPF_CORE_READ((struct bpf_link *)link, id);
	bpf_map_delete_elem(&objects, &link);
	bpf_map_delete_elem(&objects, &id);
	return 0;
}

/* Fails open. */
SEC("fentry/bpf_prog_create_from_user")
int guard_seccomp(__u64 *ctx)
{
	count_classic(active_config(), WD_CLASSIC_SECCOMP);
	return 0;
}

#endif /* WARDEN_WAYS_H */
