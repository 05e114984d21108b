// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What agents and systemd load every day: a counting tracepoint, a kprobe, a packet counter and a
 * device filter of a cgroup. Loaded by bpftool, so by libbpf with all of its own attempts.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sample_counts SEC(".maps");

static __always_inline void count(__u32 kind)
{
	__u64 one = 1, *value = bpf_map_lookup_elem(&sample_counts, &kind);

	if (value)
		__sync_fetch_and_add(value, 1);
	else
		bpf_map_update_elem(&sample_counts, &kind, &one, BPF_ANY);
}

SEC("tracepoint/sched/sched_process_exec")
int sample_exec(void *context)
{
	count((__u32)(bpf_get_current_pid_tgid() >> 32));
	return 0;
}

SEC("kprobe/do_unlinkat")
int sample_kprobe(void *context)
{
	char comm[16];

	bpf_get_current_comm(comm, sizeof(comm));
	count((__u32)comm[0]);
	return 0;
}

SEC("cgroup_skb/egress")
int sample_egress(struct __sk_buff *packet)
{
	count(packet->protocol);
	return 1;
}

SEC("cgroup/dev")
int sample_device(struct bpf_cgroup_dev_ctx *context)
{
	count(context->major);
	return 1;
}
