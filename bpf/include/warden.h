/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The contract between the BPF programs, warden-load and the TypeScript services; control.h has the
 * part that services can't see.
 *
 * Every struct that crosses the line stands here and nowhere else. Widths are explicit, padding is
 * named, and bpf/test compares each offset with the TypeScript decoder from BTF. A change of any of
 * them changes WD_LAYOUT_VERSION.
 *
 * Rings carry records. A record is identified by (boot id, ring map id, position in the ring); the
 * position is the one of the record's ring header: unique, gapless, growing.
 */
#ifndef WARDEN_H
#define WARDEN_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define WD_LAYOUT_VERSION 6

#define WD_COMM_LEN 16
#define WD_NAME_LEN 16
#define WD_DIGEST_LEN 32
#define WD_PATH_MAX 512	       /* executable path, see struct wd_act */
#define WD_PATH_DEPTH 24       /* components walked before a path counts as truncated */
#define WD_CGROUP_MAX 256
#define WD_CGROUP_DEPTH 12
#define WD_TEXT_MAX 256	       /* string that the call named, see struct wd_act */

#define WD_MAX_LOADERS 256
#define WD_MAX_SUBJECTS 65536
#define WD_MAX_GRANTS 64
#define WD_MAX_COUNTERS 16384  /* by map; beyond them a bucket per (subject, command) */
#define WD_MAX_BUCKETS 1024
#define WD_NO_ID 0xffffffffU   /* an unset uid, auid or session */

/* Rings, in the order of their worth: only bulk is ever shed. */
enum wd_ring {
	WD_RING_DENY = 0,      /* denials, would-denials, tampering */
	WD_RING_OBJECT = 1,    /* loads, maps made, attaches, links, pins, fds by id */
	WD_RING_BULK = 2,      /* everything else, unknown commands too */
	WD_RINGS = 3,	       /* rings that hold acts */
	WD_RING_CODE = 3,      /* instructions of programs being loaded, for their hash */
	WD_ALL_RINGS = 4,
};

enum wd_record_kind {
	WD_RECORD_ACT = 1,
	WD_RECORD_CODE = 2,    /* struct wd_code, in the code ring only */
	WD_RECORD_RAISE = 3,   /* struct wd_raised, in the deny ring only */
};

enum wd_subject_kind {
	WD_SUBJECT_AUID = 1,
	WD_SUBJECT_LOADER = 2,
	WD_SUBJECT_UID = 3,
};

/* The kernel's key for a principal on this host. */
struct wd_subject {
	__u32 kind;	       /* enum wd_subject_kind */
	__u32 id;
};

enum wd_tier {
	WD_TIER_DENIED = 0,
	WD_TIER_QUARANTINED = 1,
	WD_TIER_RESTRICTED = 2,
	WD_TIER_STANDARD = 3,
	WD_TIER_TRUSTED = 4,
};

/* Value of the subjects map, written by the enforcer only. Absent means the default tier. */
struct wd_subject_state {
	__u32 tier;	       /* enum wd_tier: counts as far as it is below the subject's base */
	__u32 pinned;	       /* 1: an operator's pin, against floors and pins that raise */
	__u64 revision;	       /* offset in bpf.tiers of the record that set it */
	__u64 folded_boot_ns;  /* `tier` takes into account all acts of the subject up to here */
	__u64 acked_boot_ns;   /* when the enforcer wrote that */
};

/*
 * The host map: one entry, written by the enforcer only. Root can become anybody, so when somebody
 * who was root here is trusted no more, nobody but known loaders is above `ceiling`.
 */
struct wd_host {
	__u32 ceiling;	       /* enum wd_tier plus 1; 0: none */
	__u32 pad;
	__u64 revision;	       /* offset in bpf.tiers of the record that set it */
};

#define WD_MAX_ADMINS 4096 /* subjects that had CAP_SYS_ADMIN here when they acted */

/*
 * Value of the reflexes map, by subject: lowered by the guard itself, at once. It is over when the
 * enforcer has acknowledged the act that caused it and `for_ns` have passed since:
 *
 *	folded_boot_ns >= cause_boot_ns && now >= max(acked_boot_ns, cause_boot_ns) + for_ns
 *
 * so that stopping the services ends no reflex.
 */
struct wd_reflex {
	__u32 tier;	       /* enum wd_tier */
	__u32 rule;	       /* of the act that caused it */
	__u64 cause_boot_ns;   /* begin of the latest act that caused it */
	__u64 for_ns;
};

enum wd_decision {
	WD_ALLOW = 0,
	WD_DENY = 1,
	WD_WOULD_DENY = 2,
};

/* What a grant speaks about, in the order of judging. Below 16. */
enum wd_dimension {
	WD_DIM_COMMAND = 1,
	WD_DIM_PROG_TYPE = 2,
	WD_DIM_MAP_TYPE = 3,
	WD_DIM_ATTACH_TYPE = 4,
	WD_DIM_HELPER = 5,
	WD_DIM_KFUNC = 6,
	WD_DIM_OBJECT = 7,     /* a program or map that belongs to somebody else */
	WD_DIM_SIGNATURE = 8,  /* who signed a program */
	WD_DIMS = 9,
};

/*
 * The rule that decided; 0 when nothing was refused. The subject's tier refuses by the dimension's
 * number, the loader's grant by the number plus WD_RULE_LOADER.
 */
enum wd_rule {
	WD_RULE_NONE = 0,
	WD_RULE_LOADER = 16,
	WD_RULE_UNSCANNED = 32,/* fail closed: nobody has looked into this program */
	WD_RULE_NO_MEMORY = 33,/* fail closed: no room to judge a program in */
	WD_RULE_PROTECTED = 34,/* would reach what the guard is made of, or what keeps it there */
	WD_RULE_HIDDEN = 35,   /* an object of ours, by its id: answered as if not there */
	WD_RULE_FILTER = 36,   /* a classic filter on a packet or raw socket, at T1 or below */
	WD_RULE_BPFFS = 37,    /* what a directory of a bpffs is for */
};

/* What made the tier of an act as low as it was. */
enum wd_tier_from {
	WD_TIER_FROM_SUBJECT = 0, /* its own, or the default */
	WD_TIER_FROM_CEILING = 1,
	WD_TIER_FROM_REFLEX = 2,
	WD_TIER_FROM_CARRIED = 3, /* of a subject that the task was before */
	WD_TIER_FROM_PIN = 4,	  /* an operator's pin, which raises */
	WD_TIER_FROM_GLASS = 5,	  /* break-glass */
	WD_TIER_FROM_FLOOR = 6,	  /* of the loader, by policy */
	WD_TIER_FROM_HOST = 7,	  /* who had all of this host has lost our trust */
};

/* Key of the loaders map: the inode that warden-load found at the path the policy names. */
struct wd_exe_key {
	__u64 inode;
	__u32 device;	       /* the kernel's dev_t: major << 20 | minor */
	__u32 generation;
};

/* Where the executable's file lives: what S07 needs, from the kernel's own objects. */
enum wd_exe_flag {
	WD_EXE_MEMFD = 1 << 0,
	WD_EXE_DELETED = 1 << 1,    /* link count 0 */
	WD_EXE_TMPFS = 1 << 2,	    /* tmpfs or ramfs that is not a memfd */
	WD_EXE_OVERLAY_UPPER = 1 << 3,
	WD_EXE_PATH_TRUNCATED = 1 << 4,
	WD_EXE_NONE = 1 << 5,	    /* no executable: a kernel thread */
	WD_EXE_OVERLAY = 1 << 6,
	WD_EXE_CHANGED = 1 << 7,    /* exe is what was executed; the path is what /proc shows now */
};

/* How the loader's identity was taken. */
enum wd_label {
	WD_LABEL_CALL = 0,	    /* read at the call, no label needed: it can be a lie */
	WD_LABEL_EXEC = 1,	    /* taken at exec */
	WD_LABEL_BASELINE = 2,	    /* was there before we were */
};

enum wd_object_kind {
	WD_OBJECT_NONE = 0,
	WD_OBJECT_PROG = 1,
	WD_OBJECT_MAP = 2,
	WD_OBJECT_LINK = 3,
	WD_OBJECT_BTF = 4,
};

/* Begins every record. */
struct wd_record {
	__u32 size;	       /* bytes of the whole record, tail included */
	__u16 kind;	       /* enum wd_record_kind */
	__u16 layout;	       /* WD_LAYOUT_VERSION */
	__u64 boot_ns;	       /* CLOCK_BOOTTIME at the act's begin */
	__u64 lost;	       /* of this record's ring, cumulative, when the record was sent */
};

#include "acts.h"
#include "facts.h"
#include "raised.h"

/* What user memory said about a program or map: racy, so never more than a claim. */
struct wd_claim {
	__u32 valid;	       /* 1: the rest was read */
	__u32 type;	       /* prog_type or map_type */
	__u32 attach_type;     /* expected_attach_type or attach_type */
	__u32 insn_cnt;	       /* PROG_LOAD */
	__u32 id;	       /* *_BY_ID: the id asked for; GET_NEXT_ID: start id */
	__u32 flags;	       /* prog_flags or map_flags */
	char name[WD_NAME_LEN];
};

/* The kernel's own object behind the fd that the call returned or, if it returns none, used. */
struct wd_object {
	__u32 kind;	       /* enum wd_object_kind */
	__u32 id;
	__u32 type;	       /* prog, map or link type */
	__u32 attach_type;
	__u32 insn_cnt;	       /* programs: prog->len, after the verifier's patches */
	__u32 target_id;       /* links: the program's id */
	__u64 tag;	       /* programs, as the kernel prints it, big-endian bytes */
	char name[WD_NAME_LEN];
	__u8 digest[WD_DIGEST_LEN]; /* programs, SHA-256 where the kernel has one, else zero */
	__u32 gpl;	       /* programs: gpl_compatible */
	__u32 has_digest;
};

/*
 * One use of BPF. Followed by `path_len` bytes of executable path and `cgroup_len` bytes of cgroup
 * path, each a run of NUL-terminated names from the leaf to the root ("bpftool\0sbin\0usr\0"),
 * and by `facts_len` bytes: 0, or a struct wd_facts (PROG_LOAD that was scanned). What is left of
 * `size` after them is a string with its NUL. bpf(2): what the call named in user memory (OBJ_PIN,
 * OBJ_GET: the pin's path; RAW_TRACEPOINT_OPEN: the tracepoint), a claim. Other acts: the kernel's
 * own name of what they were about, a file's without its directory.
 */
struct wd_act {
	struct wd_record head;
	struct wd_subject subject;
	__s64 result;	       /* return value of the call; -errno when it failed */
	__u64 cgroup_id;
	__u64 duration_ns;
	struct wd_exe_key exe;
	__u32 command;	       /* as passed, less BPF_COMMON_ATTRS */
	__u32 attr_size;
	__u32 pid;	       /* of the thread group, initial pid namespace */
	__u32 tid;
	__u32 ppid;
	__u32 uid;	       /* real uid, initial user namespace */
	__u32 euid;
	__u32 auid;	       /* WD_NO_ID when unset */
	__u32 session;	       /* audit session id, WD_NO_ID when unset */
	__u32 userns;	       /* inode number of the user namespace */
	__u32 mntns;
	__u32 flags;	       /* enum wd_act_flag */
	__u32 loader;	       /* the policy's number of it, 0 when unknown */
	__u32 exe_flags;       /* enum wd_exe_flag */
	__u32 exe_uid;	       /* owner of the executable's inode */
	__u32 runtime;	       /* the policy's number of the runtime that started it; 0: none */
	__u32 pad;
	__u16 label;	       /* enum wd_label */
	__u16 decision;	       /* enum wd_decision */
	__u16 rule;	       /* enum wd_rule */
	__u16 tier;	       /* of the subject at the call */
	__u16 path_len;
	__u16 cgroup_len;
	__u16 facts_len;
	__u16 tier_from;       /* enum wd_tier_from */
	__u16 has_exe_digest;
	__u16 via;	       /* enum wd_via */
	char comm[WD_COMM_LEN];
	__u8 exe_digest[WD_DIGEST_LEN]; /* SHA-256 at exec, of listed loaders */
	struct wd_claim claim;
	struct wd_object object;
};

/*
 * Data-plane commands are counted: the first of a key is sent as a record, the rest only counted.
 * Values only grow; the collector stores differences.
 */
struct wd_counter_key {
	struct wd_subject subject;
	struct wd_exe_key exe;	/* zero when the table was full */
	__u32 map_id;		/* 0 when it could not be told, or the table was full */
	__u32 command;
	__s32 result_class;	/* 0 for success, else -errno */
	__u32 flags;		/* of enum wd_act_flag: the two of AUID, COMPAT, COUNTER_FULL,
				 * REFUSED */
};

struct wd_counter {
	__u64 calls;
	__u64 last_boot_ns;
	__u32 pid;		/* of the first caller */
	__u32 uid;
	__u32 auid;
	__u32 loader;
	char comm[WD_COMM_LEN];	/* of the first caller */
};

/* Per-ring counts, in the stats map, which services can only read. */
struct wd_ring_stats {
	__u64 attempted;
	__u64 delivered;
	__u64 lost;
	__u64 throttled;	/* part of lost: refused by the subject's token bucket */
};

enum wd_error_site {
	WD_ERR_TASK_STORAGE = 0,
	WD_ERR_COUNTER_FULL = 1,
	WD_ERR_READ_KERNEL = 2,
	WD_ERR_STALE_OPEN = 3,	/* a call's end was not seen: sent at the task's next, or exit */
	WD_ERR_LATE = 4,	/* a call's begin was not seen: WD_ACT_LATE */
	WD_ERR_SKIPPED = 5,	/* runs of our hooks that the kernel left out (7.0 and later) */
	WD_ERR_OBJECTS_FULL = 6,/* an object whose owner could not be remembered: foreign to all */
	WD_ERR_REFLEX = 7,	/* a reflex that could not be set */
	WD_ERR_CODE = 8,	/* a program whose instructions did not all go into the code ring */
	WD_ERR_SITES = 12,
};

/*
 * The stats map: one entry. Every act ends in exactly one of two ways, so with no call in flight
 *
 *	acts - open == counted + sum of rings[].attempted
 *	rings[r].attempted == rings[r].delivered + rings[r].lost, and throttled <= lost
 *
 * A canary is an own act, never an act, and makes no record. A record with WD_ACT_COUNTER_FIRST is
 * attempted, not counted, though its counter holds the call as well: the sum over all counters of
 * `calls` is `counted` plus those records, whether delivered or lost.
 */
struct wd_stats {
	struct wd_ring_stats rings[WD_ALL_RINGS]; /* the code ring is in none of the sums above */
	__u64 acts;		/* bpf(2) calls by anybody but us, counted at their begin */
	__u64 own_acts;		/* by our own services: counted, not recorded */
	__u64 counted;		/* data-plane calls that went to a counter and made no record */
	__u64 open;		/* calls begun and not yet ended */
	__u64 canaries;
	__u64 errors[WD_ERR_SITES];
	__u64 classic[WD_CLASSICS]; /* filters put on, by enum wd_classic */
};

/*
 * What the iterators write, one after another; read by opening the pinned iterator.
 * `owner` fields are not there: who made an object comes from the log.
 */
struct wd_inventory {
	__u32 kind;	       /* enum wd_object_kind */
	__u32 id;
	__u32 type;
	__u32 attach_type;
	__u32 target_id;       /* links: program id */
	__u32 insn_cnt;
	__u64 load_boot_ns;    /* programs: when loaded, CLOCK_BOOTTIME; else 0 */
	__u64 tag;
	__u32 uid;	       /* programs: who loaded it, as the kernel recorded; else WD_NO_ID */
	__u32 max_entries;     /* maps */
	__u32 key_size;	       /* maps */
	__u32 value_size;      /* maps */
	char name[WD_NAME_LEN];
	__u8 digest[WD_DIGEST_LEN];
	__u32 has_digest;
	__u32 ours;	       /* 1: made by warden-load */
};

#endif /* WARDEN_H */
