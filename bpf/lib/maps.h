/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Every map. All are pinned but `windows`, whose content lives for a second, and `nested` and
 * `outside`, whose content lives as long as an act; warden-load gives each its file mode, which
 * says who may open it (bpf/README.md has the table).
 */
#ifndef WARDEN_MAPS_H
#define WARDEN_MAPS_H

#include "kernel.h"
#include "control.h"
#include <bpf/bpf_helpers.h>

enum wd_open_state {
	WD_CLOSED = 0,
	WD_OPEN = 1,
	WD_SENT = 2,	       /* refused: its record is out, its end is still to come */
};

/* No call has both a text and facts. */
_Static_assert(sizeof(struct wd_facts) >= WD_TEXT_MAX, "a tail has room for either");

/* Where a walk to the root is; see lib/path.h. */
struct wd_walk {
	__u64 node;	       /* struct dentry or kernfs_node */
	__u64 mount;	       /* struct mount */
	__u32 at;	       /* where in the tail the next name goes */
	__u32 end;
	__u32 components;
	__u32 done;
};

/* A call between its begin and its end. Never per-CPU: a task can be preempted, or migrate. */
struct wd_open {
	__u32 active;	       /* enum wd_open_state */
	__u32 nested;	       /* 1: the call that its program made is open, in `nested` */
	__u32 half;	       /* of the policy that it was judged by */
	__u32 grant;	       /* the loader's, in that half */
	__u32 scanned;	       /* 1: the task's `scans` has facts of this load */
	__u32 late;	       /* 1: judged when it was over: nothing can be refused any more */
	__u32 blameless;       /* 1: refused for what another act did: sets off no reflex */
	__u32 run_signer;      /* TEST_RUN: who signed the program that it runs */
	__s32 run_serial;
	__u32 generation;      /* of the guard that opened it */
	__u64 pinning;	       /* OBJ_PIN: the object, once the kernel has found it */
	__u64 attr_address;
	struct wd_walk walk;
	__u8 attr[128];	       /* as far as attr_size goes, then zeroes; not of data-plane calls */
	struct wd_act act;
	char tail[WD_PATH_MAX + WD_CGROUP_MAX + sizeof(struct wd_facts)];
};

#define WD_CHUNK 64	       /* instructions looked at, and sent, at once */
#define WD_KFUNC_CALLS 256     /* different ones in a program: the verifier takes no more */

struct wd_kfunc_call {
	__u32 btf_id;
	__s32 offset;	       /* 0: of vmlinux; else of a module, which the verifier finds */
};

/* What a load is scanned in. `code` and `insns` are one record of the code ring. */
struct wd_scratch {
	__u64 aux;	       /* struct bpf_prog_aux of the program that the rest is about */
	__u64 load_time;       /* of the same: its address is another's when it is freed */
	struct wd_facts facts;
	__u64 kfuncs[WD_KFUNC_WORDS]; /* classes of those that have a name by now */
	__u32 calls_count;
	__u32 unresolved;      /* of the calls: those of modules */
	__u32 failed;	       /* 1: not all of the program could be read */
	__u32 code_lost;       /* 1: the code ring had no room */
	struct wd_kfunc_call calls[WD_KFUNC_CALLS];
	struct wd_kfunc_key name;
	struct wd_code code;
	struct bpf_insn insns[WD_CHUNK];
};

#define WD_MAX_REFLEXES 16384
#define WD_MAX_OBJECTS 65536
#define WD_MAX_KFUNCS 4096

/* What the programs remember for themselves. */
struct wd_state {
	__u64 bulk_woken_ns;
	__u64 counters;	       /* keys made in the counters map */
	__u64 buckets;	       /* of which for the whole of a subject and command */
	__u64 skipped;	       /* declared so far, of the generation below */
	__u64 skipped_generation;
	__u64 reflexes;	       /* entries of the reflexes map: most hosts have none */
	__u64 own_mount;       /* struct mount of the bpffs that has our pins; 0: not known */
};

/* A second in the life of a subject while the bulk ring is over half full. */
struct wd_window {
	__u64 begin_ns;
	__u64 sent;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096 * 1024);
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
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 2048 * 1024);
} ring_code SEC(".maps");

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
	__uint(max_entries, WD_LOADER_FILES);
	__type(key, struct wd_exe_key);
	__type(value, struct wd_loader);
} loaders SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WD_MAX_CODE * WD_POLICY_HALVES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct wd_code_key);
	__type(value, struct wd_code_file);
} code SEC(".maps");

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

/* The call that a program makes while the call that runs it is open. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct wd_open);
} nested SEC(".maps");

/* An act outside bpf(2), from its hook's begin to its end. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct wd_open);
} outside SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct wd_scratch);
} scans SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WD_MAX_REFLEXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct wd_subject);
	__type(value, struct wd_reflex);
} reflexes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wd_host);
} host SEC(".maps");

/* The value is when it was first so, CLOCK_BOOTTIME. Those who act least are forgotten first. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WD_MAX_ADMINS);
	__type(key, struct wd_subject);
	__type(value, __u64);
} admins SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WD_MAX_RAISES);
	__type(key, struct wd_subject);
	__type(value, struct wd_raise);
} raises SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WD_MAX_OPERATORS);
	__type(key, struct wd_operator_key);
	__type(value, struct wd_operator);
} operators SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WD_MAX_NONCES);
	__type(key, struct wd_nonce);
	__type(value, __u32);
} nonces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WD_MAX_OBJECTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct wd_made);
} objects SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WD_MAX_KFUNCS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct wd_kfunc_key);
	__type(value, __u32);
} kfuncs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct wd_own_key);
	__type(value, __u32);
} own SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * WD_MAX_DOMAINS);
	__type(key, struct wd_place_key);
	__type(value, __u32);
} places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WD_POLICY_HALVES * WD_MAX_DOMAINS);
	__type(key, struct wd_domain_key);
	__type(value, struct wd_domain);
} domains SEC(".maps");

/* Functions that our programs are on, by their number in the kernel's BTF: enum wd_hooked. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u32);
} hooked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct wd_subject);
	__type(value, struct wd_window);
} windows SEC(".maps");

/* The key of what has one entry: not on the stack, of which some chains of calls leave nothing. */
static const __u32 wd_zero = 0;

static __always_inline struct wd_stats *wd_stats(void)
{
	return bpf_map_lookup_elem(&stats, &wd_zero);
}

static __always_inline struct wd_state *wd_state(void)
{
	return bpf_map_lookup_elem(&state, &wd_zero);
}

static __always_inline struct wd_host *wd_host(void)
{
	return bpf_map_lookup_elem(&host, &wd_zero);
}

static __always_inline struct wd_config *wd_config(void)
{
	return bpf_map_lookup_elem(&config, &wd_zero);
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

/*
 * A step's answer to bpf_loop: 1 ends it. Branched for, because the verifier of 6.1 takes a flag
 * from memory for any byte.
 */
static __always_inline long wd_ends(bool done)
{
	long result = 0;

	if (done) {
		result = 1;
		asm volatile("" : "+r"(result));
	}
	return result;
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
