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

/*
 * A grant as bit masks: bit n of `commands` is command n, and so on; a number without a bit is
 * refused. Bit 0 of `kfuncs` is the class of all kfuncs that no grant lists.
 */
struct wd_grant {
	__u64 commands;
	__u64 prog_types;
	__u64 map_types;
	__u64 attach_types[2];
	__u64 helpers[WD_HELPER_WORDS];
	__u64 kfuncs[WD_KFUNC_WORDS];
	__u32 enforce;	       /* bit n: dimension n denies; else it would deny */
	__u32 foreign;	       /* 1: programs and maps of others may be used */
	__u32 keyrings;	       /* bit n: who signed is in a keyring of enum wd_keyring n */
	__s32 keyring_serial;  /* the one of WD_KEYRING_USER; 0: any of them */
};

/* The kernel's types of keyrings that vouched for a program (7.2), and none. */
enum wd_keyring {
	WD_KEYRING_NONE = 0,   /* not signed, or by a kernel that can't tell */
	WD_KEYRING_BUILTIN = 1,
	WD_KEYRING_SECONDARY = 2,
	WD_KEYRING_PLATFORM = 3,
	WD_KEYRING_USER = 4,   /* any other: counts by its serial, where a grant has one */
	WD_KEYRINGS = 5,
};

#define WD_MAX_ADOPTED 16
#define WD_DOMAIN_NAME 32
#define WD_DOMAIN_LOADERS 8
#define WD_DOMAIN_PATTERNS 8
#define WD_MAX_DOMAINS 64

/* Key of the places map: a directory at the top of a bpffs; "" is the bpffs itself. */
struct wd_place_key {
	__u32 device;
	char name[WD_DOMAIN_NAME];
};

/* Key of the domains map. */
struct wd_domain_key {
	__u32 half;
	__u32 number;	       /* of the domain, by the hash of its path: value of the places map */
};

/* What a directory of a bpffs is for: a name may end in `*`. Loaders by the policy's numbers. */
struct wd_domain {
	__u32 owners[WD_DOMAIN_LOADERS]; /* may pin here, and open all that is pinned; 0 ends it */
	__u32 readers[WD_DOMAIN_LOADERS]; /* may open the maps below */
	char maps[WD_DOMAIN_PATTERNS][WD_NAME_LEN]; /* "" ends it */
	__u64 helpers[WD_HELPER_WORDS];	/* that a program pinned here may call */
	__u32 write;	       /* 1: readers may write */
	__u32 enforce;	       /* 1: refused; 0: recorded */
};

/* Value of the hooked map, by a function's number in the kernel's BTF. */
enum wd_hooked {
	WD_HOOKED_OURS = 1,
	/* Any answer but 0 is a refusal: LSM programs of known loaders may be there too. */
	WD_HOOKED_SHARED = 2,
};

/* What happens to whoever would reach the guard itself. */
enum wd_protect {
	WD_PROTECT_OFF = 0,
	WD_PROTECT_OBSERVE = 1,
	WD_PROTECT_ENFORCE = 2,
};

/* What a refusal by a dimension does to the subject, at once. */
struct wd_reflex_rule {
	__u32 tier;	       /* enum wd_tier */
	__u32 set;	       /* 0: nothing */
	__u64 for_ns;
};

/* One half of a policy's scalars; the grants map holds WD_MAX_GRANTS entries a half. */
struct wd_policy_half {
	__u32 tier_grant[5];   /* index into this half's grants, by tier */
	__u32 default_tier;
	__u32 unknown_grant;   /* of loaders without a label */
	__u32 ceiling;	       /* enum wd_tier: no subject of this host is above it */
	__u32 protect;	       /* enum wd_protect */
	__u32 domains;	       /* entries of the domains map in this half */
	__u32 adopted[WD_MAX_ADOPTED]; /* loaders whose objects nobody else may reach; 0 ends it */
	__u64 bulk_rate;       /* records a second of a subject, while a ring is over half full */
	__u8 hash[WD_DIGEST_LEN]; /* of the policy, as its compiler said */
	__u8 list[WD_DIGEST_LEN]; /* SHA-256 of DIR/loaders: no other list is this policy's */
	struct wd_reflex_rule reflex[WD_DIMS]; /* by dimension; 0: by protection of the guard */
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
	__u32 raises;	       /* entries of the raises map: most hosts have none */
	__u64 guard_boot_ns;   /* since when programs are scanned; 0: they are not */
	struct wd_exe_key self; /* warden-load's own file: run by root it is one of ours */
	__u8 self_digest[WD_DIGEST_LEN]; /* SHA-256 of that file: no other content is ours */
	__u32 own_device;      /* of the bpffs that has our pins; 0: not known yet */
	__u32 applied;	       /* how often a policy was put in force */
	__u8 build[WD_DIGEST_LEN]; /* SHA-256 of the object that the active programs came from */
	struct wd_policy_half policy[WD_POLICY_HALVES];
	__u32 sealed;	       /* 1: what switches off, raises or changes needs a token */
	__u32 boot_revision;   /* of the boot policy that this began with; 0: none */
	__u8 bundle[WD_DIGEST_LEN]; /* while sealed: of the release that services run from */
};

enum wd_loader_kind {
	WD_LOADER_AGENT = 1,   /* may act as a principal */
	WD_LOADER_TOOL = 2,    /* never acts as a principal */
	WD_LOADER_LOGIN = 3,   /* an auid that it writes counts */
	WD_LOADER_RUNTIME = 4, /* what it starts carries its number */
};

struct wd_loader_half {
	__u32 index;	       /* the policy's number of the loader; 0: not in this half */
	__u32 kind;	       /* enum wd_loader_kind */
	__u32 grant;	       /* index into this half's grants */
	__u32 fresh;	       /* 1: the policy before did not have it */
	__u32 has_digest;      /* 1: only a file of this content is the loader */
	__u8 digest[WD_DIGEST_LEN];
	__u32 floor;	       /* enum wd_tier: nothing but a pin or the ceiling takes it lower */
	__u32 listed;	       /* 1: code that the code map does not list takes the label */
	__u32 pad;
	__u64 until_boot_ns;   /* 0: without end; else it is nobody's file from then on */
};

#define WD_MAX_CODE 2048

/* Key of the code map: a file that a loader may map to execute. */
struct wd_code_key {
	struct wd_exe_key file;
	__u32 loader;	       /* the policy's number of it */
	__u32 half;
};

/* What was in it when the policy was applied. */
struct wd_code_file {
	__u8 digest[WD_DIGEST_LEN];
};

/* A path may have had several files since its policy was applied; the last of them are kept. */
#define WD_FILES_OF_PATH 4
#define WD_LOADER_FILES (WD_MAX_LOADERS * (WD_POLICY_HALVES + WD_FILES_OF_PATH))

/* Value of the loaders map, by struct wd_exe_key. */
struct wd_loader {
	struct wd_loader_half half[WD_POLICY_HALVES];
};

enum wd_role {
	WD_ROLE_NONE = 0,
	WD_ROLE_LOAD = 1,
	WD_ROLE_SERVICE = 2,
	WD_ROLE_KINDS = 0xff,
	/* What it has opened by pins: the guard's objects, and those of others. Never both. */
	WD_ROLE_OPENED_OURS = 1 << 8,
	WD_ROLE_OPENED_OTHERS = 1 << 9,
	/* A token was redeemed by it: what is sealed is not to it. */
	WD_ROLE_UNSEALED = 1 << 10,
};

#define WD_CARRIED 4

/*
 * Identity of a task, in task storage (the tasks map; warden-load writes a role by pidfd). Only
 * tasks that need one have one: of a listed loader, with a role, with an auid that counts, or that
 * carries a subject.
 */
struct wd_task {
	__u32 role;	       /* enum wd_role: inherited; a service's is kept across exec.
				* Above WD_ROLE_KINDS: what it has opened */
	__u32 label;	       /* enum wd_label: how `exe` was taken */
	struct wd_exe_key exe;
	__u32 vouched_auid;    /* plus 1; 0: none */
	__u32 base_auid;       /* plus 1: what it was when the label began; not vouched for */
	__u32 has_digest;
	__u32 mixed;	       /* 1: was no loader when it was executed, or has mapped code that its
				* loader's list does not have */
	__u32 carried_count;
	__u32 runtime;	       /* the policy's number of the runtime that started it; 0: none */
	__u8 digest[WD_DIGEST_LEN]; /* of the executable, at exec */
	struct wd_subject carried[WD_CARRIED]; /* lowered subjects that it was before */
};

/* What is remembered of a live program or map, by its address (a program: of its aux). */
struct wd_made {
	struct wd_subject subject; /* who made it; kind 0: it was there before us */
	__u32 loader;
	__u32 kind;	       /* enum wd_object_kind */
	__u32 id;	       /* 0 until it has one */
	__u32 scan;	       /* programs: enum wd_scan, and the rule */
	__u32 domain;	       /* where it was pinned first; 0: nowhere that the policy names */
	__u32 pad;
	__u64 boot_ns;
	__u64 helpers[WD_HELPER_WORDS]; /* programs: that it calls */
};

/* The low byte of `scan`; the rule that refused is above it. */
enum wd_scan {
	WD_SCAN_NONE = 0,
	WD_SCAN_ALLOWED = 1,
	WD_SCAN_REFUSED = 2,   /* its fd is refused, by whomever it is asked for */
	WD_SCAN_PENDING = 3,   /* scanned, not yet taken by the verifier and judged whole */
};

#define WD_SCAN_RULE_SHIFT 8

/* Key of the kfuncs map: a name, NUL-padded. Its value is a class from 1 to 255. */
struct wd_kfunc_key {
	char name[WD_KFUNC_NAME];
};

#define WD_MAX_RAISES 1024

/*
 * Value of the raises map, by subject: what only warden-load may give. Each part ends by itself at
 * its time; 0 is a part that is not there. Services can't open the map.
 */
struct wd_raise {
	__u32 base;	       /* enum wd_tier plus 1, by policy: its default tier */
	__u32 pin;	       /* enum wd_tier plus 1 */
	__u32 over_ceiling;    /* 1: break-glass stands in for the ceiling too */
	__u32 pad;
	__u64 pin_until;       /* CLOCK_BOOTTIME, as the others */
	__u64 glass_until;
	__u64 glass_commands;  /* bit n: command n */
	__u64 observe_until;
	char pin_id[WD_RAISE_ID];
	char glass_id[WD_RAISE_ID];
	char observe_id[WD_RAISE_ID];
};

#define WD_MAX_OPERATORS 32
#define WD_OPERATOR_NAME 64
#define WD_KEY_LEN 32

/* Key of the operators map: a name, NUL-padded. Its value is a raw Ed25519 public key. */
struct wd_operator_key {
	char name[WD_OPERATOR_NAME];
};

struct wd_operator {
	__u8 key[WD_KEY_LEN];
};

#define WD_MAX_NONCES 4096
#define WD_NONCE_LEN 16

/* Key of the nonces map: of a token that was redeemed since the maps were made. */
struct wd_nonce {
	__u8 bytes[WD_NONCE_LEN];
};

/* Key of the own map: the objects that warden-load made. */
struct wd_own_key {
	__u32 kind;	       /* enum wd_object_kind */
	__u32 id;
};

/* Input and output of the decision, and the context of the `decide` program under a test run. */
struct wd_decide_case {
	__u32 judged;	       /* bit n: dimension n is to be judged, by the field below */
	__u32 command;
	__u32 prog_type;
	__u32 map_type;
	__u32 attach_type;
	__u32 foreign;	       /* 1: the object belongs to somebody else */
	__u64 helpers[WD_HELPER_WORDS]; /* all that the program calls */
	__u64 kfuncs[WD_KFUNC_WORDS];	/* classes of all that it calls */
	__u32 beyond;	       /* 1: calls a helper that has no bit */
	__u32 rule;	       /* out: enum wd_rule */
	__u32 decision;	       /* out: enum wd_decision */
	__u32 signer;	       /* enum wd_keyring */
	__s32 serial;	       /* of the keyring */
	__u32 pad;
	struct wd_grant tier;
	struct wd_grant loader;
};

/* Context of the `resolve` program: which inode an fd of the caller is, as the kernel keys it. */
struct wd_resolve {
	__u32 fd;
	__u32 learn;	       /* enum wd_object_kind: the fd is one of these, remember it */
	__s32 error;	       /* out: 0 or -EBADF */
	__u32 place;	       /* 1: the fd is our bpffs: remember what it is mounted on */
	struct wd_exe_key exe; /* out */
};

/* Context of the `tier` program: the tier of a subject that tests make up, by the maps in force. */
struct wd_tier_case {
	struct wd_subject subject;
	__u32 floor;	       /* of the loader, as the policy in force has it */
	__u32 command;
	__u32 carried_count;
	__u32 loader_kind;     /* enum wd_loader_kind; 0: unknown */
	__u32 tier;	       /* out: enum wd_tier */
	__u32 from;	       /* out: enum wd_tier_from */
	__u32 observed;	       /* out: 1: nothing is refused */
	struct wd_subject carried[WD_CARRIED];
};

enum wd_declared {
	WD_DECLARE_SKIPPED = 0,
	WD_DECLARE_RAISED = 1,
	WD_DECLARE_GENERATION = 2, /* from now on the programs of `generation` act */
};

/* Context of the `declare` program: what warden-load says for the record. */
struct wd_declare {
	__u32 what;	       /* enum wd_declared */
	__u32 generation;
	__u64 skipped;	       /* how often the kernel skipped one of our hooks, in all */
	struct wd_raised raised; /* without its head */
};

#endif /* WARDEN_CONTROL_H */
