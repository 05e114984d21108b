/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Every map. All are pinned but `windows`, whose content lives for a second; warden-load gives each
 * its file mode, which says who may open it (bpf/README.md has the table).
 */
#ifndef WARDEN_MAPS_H
#define WARDEN_MAPS_H

#include "kernel.h"
#include "control.h"
#include <bpf/bpf_helpers.h>

/* A call between its begin and its end. Never per-CPU: a task can be preempted, or migrate. */
struct wd_open {
	__u32 active;
	__u32 attr_len;
	__u64 attr_address;
	__u8 attr[128];	       /* what user memory held, zeroes after attr_len */
	struct wd_act act;
	char tail[WD_PATH_MAX + WD_CGROUP_MAX + WD_TEXT_MAX];
};

/* What the programs remember for themselves. */
struct wd_state {
	__u64 bulk_woken_ns;
	__u64 counters;	       /* keys made in the counters map */
	__u64 buckets;	       /* of which for the whole of a subject and command */
	__u64 skipped;	       /* declared so far, of the generation below */
	__u64 skipped_generation;
};

/* A second in the life of a subject while the bulk ring is over half full. */
struct wd_window {
	__u64 begin_ns;
	__u64 sent;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} ring_deny SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1024 * 1024);
} ring_object SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096 * 1024);
} ring_bulk SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wd_stats);
} stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wd_state);
} state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WD_MAX_COUNTERS + WD_MAX_BUCKETS);
	__type(key, struct wd_counter_key);
	__type(value, struct wd_counter);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WD_MAX_SUBJECTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct wd_subject);
	__type(value, struct wd_subject_state);
} subjects SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WD_MAX_GRANTS * WD_POLICY_HALVES);
	__type(key, __u32);
	__type(value, struct wd_grant);
} grants SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wd_config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WD_MAX_LOADERS * WD_POLICY_HALVES);
	__type(key, struct wd_exe_key);
	__type(value, struct wd_loader);
} loaders SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct wd_task);
} tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct wd_open);
} calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct wd_own_key);
	__type(value, __u32);
} own SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct wd_subject);
	__type(value, struct wd_window);
} windows SEC(".maps");

static __always_inline struct wd_stats *wd_stats(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&stats, &zero);
}

static __always_inline struct wd_state *wd_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&state, &zero);
}

static __always_inline struct wd_config *wd_config(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&config, &zero);
}

/*
 * `index` below `limit`, or 0. The compiler is kept from copying it between the check and the use:
 * the verifier of 6.1 knows the bounds of the copy that was checked and of no other.
 */
static __always_inline __u64 wd_bounded(__u64 index, __u64 limit)
{
	asm volatile("" : "+r"(index));
	if (index >= limit)
		index = 0;
	asm volatile("" : "+r"(index));
	return index;
}

static __always_inline void wd_add(__u64 *counter, __u64 by)
{
	__sync_fetch_and_add(counter, by);
}

static __always_inline void wd_count_error(enum wd_error_site site)
{
	struct wd_stats *all = wd_stats();

	if (all && site < WD_ERR_SITES)
		wd_add(&all->errors[site], 1);
}

#endif /* WARDEN_MAPS_H */
