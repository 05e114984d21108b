/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The other half of the contract: what only warden-load writes and the programs read. Services
 * can't open these maps. Same rules as warden.h, same layout version.
 */
#ifndef WARDEN_CONTROL_H
#define WARDEN_CONTROL_H

#include "warden.h"

/* The command number of warden-load's canary call: no kernel knows it. */
#define WD_CANARY_COMMAND 51786

/* A policy is written into the half that is not in force. */
#define WD_POLICY_HALVES 2

/* A grant as bit masks: bit n of `commands` is command n, and so on. Numbers >= 64 are refused. */
struct wd_grant {
	__u64 commands;
	__u64 prog_types;
	__u64 map_types;
};

/* One half of a policy's scalars; the grants map holds WD_MAX_GRANTS entries a half. */
struct wd_policy_half {
	__u32 tier_grant[5];   /* index into this half's grants, by tier */
	__u32 default_tier;
	__u32 unknown_grant;   /* of loaders without a label */
	__u32 pad;
	__u64 bulk_rate;       /* records a second of a subject, while a ring is over half full */
	__u8 hash[WD_DIGEST_LEN]; /* of the policy, as its compiler said */
};

enum wd_mode {
	WD_MODE_AUDIT = 1,
	WD_MODE_SIGNAL = 2,
	WD_MODE_FMOD_RET = 3,
	WD_MODE_LSM = 4,
};

enum wd_baseline {
	WD_BASELINE_OFF = 0,
	WD_BASELINE_FIRST = 1, /* label, and let auids that are set already count */
	WD_BASELINE_FRESH = 2, /* adopted: label only for loaders that are new in the policy */
};

/* The config map: one entry. */
struct wd_config {
	__u32 layout_version;
	__u32 mode;	       /* enum wd_mode */
	__u32 generation;      /* programs of any other generation do nothing */
	__u32 half;	       /* of the policy in force: flipped last */
	__u32 baseline;	       /* enum wd_baseline, while the baseline iterator runs */
	__u32 pad;
	__u8 build[WD_DIGEST_LEN]; /* SHA-256 of the object that the active programs came from */
	struct wd_policy_half policy[WD_POLICY_HALVES];
};

enum wd_loader_kind {
	WD_LOADER_AGENT = 1,   /* may act as a principal */
	WD_LOADER_TOOL = 2,    /* never acts as a principal */
	WD_LOADER_LOGIN = 3,   /* an auid that it writes counts */
	WD_LOADER_RUNTIME = 4, /* passes `via` to what it starts (later) */
};

struct wd_loader_half {
	__u32 index;	       /* the policy's loader number, from 1; 0: not in this half */
	__u32 kind;	       /* enum wd_loader_kind */
	__u32 grant;	       /* index into this half's grants */
	__u32 fresh;	       /* 1: the policy before did not have it */
};

/* Value of the loaders map, by struct wd_exe_key. */
struct wd_loader {
	struct wd_loader_half half[WD_POLICY_HALVES];
};

enum wd_role {
	WD_ROLE_NONE = 0,
	WD_ROLE_LOAD = 1,
	WD_ROLE_SERVICE = 2,
};

/*
 * Identity of a task, in task storage (the tasks map; warden-load writes a role by pidfd). Only
 * tasks that need one have one: of a listed loader, with a role, or with an auid that counts.
 */
struct wd_task {
	__u32 role;	       /* enum wd_role: inherited, kept across exec */
	__u32 label;	       /* enum wd_label: how `exe` was taken */
	struct wd_exe_key exe;
	__u32 vouched_auid;    /* plus 1; 0: none */
	__u32 base_auid;       /* plus 1: what it was when the label began; not vouched for */
};

/* Key of the own map: the objects that warden-load made. */
struct wd_own_key {
	__u32 kind;	       /* enum wd_object_kind */
	__u32 id;
};

enum wd_judged {
	WD_JUDGED_PROG_TYPE = 1 << 0, /* `prog_type` is to be judged */
	WD_JUDGED_MAP_TYPE = 1 << 1,
};

/* Input and output of the decision, and the context of the `decide` program under a test run. */
struct wd_decide_case {
	__u32 command;
	__u32 judged;	       /* enum wd_judged */
	__u32 prog_type;
	__u32 map_type;
	struct wd_grant tier;
	struct wd_grant loader;
	__u32 rule;	       /* out: enum wd_rule */
	__u32 pad;
};

/* Context of the `resolve` program: which inode an fd of the caller is, as the kernel keys it. */
struct wd_resolve {
	__u32 fd;
	__u32 learn;	       /* enum wd_object_kind: the fd is one of these, remember it */
	__s32 error;	       /* out: 0 or -EBADF */
	__u32 pad;
	struct wd_exe_key exe; /* out */
};

/* Context of the `declare` program: how often the kernel skipped one of our hooks, in all. */
struct wd_declare {
	__u64 skipped;
};

#endif /* WARDEN_CONTROL_H */
