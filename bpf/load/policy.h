/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled policy: text that the policy compiler wrote, read strictly. Lines, in any order
 * after the first, each scalar exactly once, HEXn of exactly n digits (a grant is one line):
 *
 *	warden-policy 6
 *	hash HEX64
 *	default_tier 0..4
 *	ceiling 0..4
 *	protect 0..2
 *	bulk_rate N
 *	operator NAME key=HEX64
 *	grant N commands=HEX16 prog_types=HEX16 map_types=HEX16 attach_types=HEX32 helpers=HEX64
 *		foreign=0|1 keyrings=HEX2 keyring=N enforce=HEX4 kfuncs=-|[!]PATTERN,...
 *	tier 0..4 grant=N
 *	unknown_grant N
 *	trusted auid|loader|uid NUMBER
 *	reflex 0..8 tier=0..4 for_ms=N
 *	loader NUMBER kind=agent|tool|login|runtime grant=N floor=0..4 name=NAME sha256=HEX64|-
 *		listed=0|1 keep=SECONDS path=/PATH
 *	code NUMBER path=/PATH
 *	adopt NUMBER
 *	domain NUMBER enforce=0|1 write=0|1 helpers=HEX64 owners=N,... readers=-|N,...
 *		maps=-|NAME[*],... path=/PATH
 *	end
 *
 * Loaders of one name have one number, not 0, and may differ in path and hash. Lines of one path
 * are contents of which any is the loader. `keep` is for how long another content is the loader, 0
 * for not at all and 4294967295 for ever.
 */
#ifndef WARDEN_POLICY_H
#define WARDEN_POLICY_H

#include "control.h"
#include "pattern.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define WD_LOADER_NAME 64
#define WD_TIERS 5
/* The raises map has room for as many again that operators give. */
#define WD_MAX_TRUSTED (WD_MAX_RAISES / 2)

enum wd_loader_status {
	WD_LOADER_LABELLED = 0,
	WD_LOADER_ABSENT,      /* no such file */
	WD_LOADER_UNREADABLE,  /* there, but not a regular file that we can read */
	WD_LOADER_MISMATCH,    /* another SHA-256 than the policy says */
	WD_LOADER_DUPLICATE,   /* an earlier loader is the same file */
	WD_LOADER_OTHER,       /* another content that the policy lists for this path is there */
	WD_LOADER_KEPT,	       /* changed not long ago: for a time the loader all the same */
};

#define WD_KEEP_ALWAYS UINT32_MAX

struct wd_policy_loader {
	__u32 number;
	__u32 kind;	       /* enum wd_loader_kind */
	__u32 grant;
	__u32 floor;
	__u32 listed;	       /* 1: it may map the code that is listed, and its own file */
	__u32 keep_s;	       /* how long a file of another content is the loader */
	bool has_sha256;
	__u8 sha256[WD_DIGEST_LEN];
	char name[WD_LOADER_NAME];
	char path[PATH_MAX];
	enum wd_loader_status status;
};

/* A file that a loader may map to execute. */
struct wd_policy_code {
	__u32 loader;	       /* its number */
	char path[PATH_MAX];
	bool found;
};

/* A bpffs, or a directory at the top of one; it need not be there. */
struct wd_policy_domain {
	__u32 number;
	struct wd_domain domain;
	char path[PATH_MAX];
	bool found;	       /* the bpffs is there */
};

struct wd_policy {
	struct wd_policy_half scalars;
	struct wd_grant grants[WD_MAX_GRANTS]; /* without kfuncs: they depend on the kernel */
	struct wd_patterns kfuncs[WD_MAX_GRANTS];
	__u64 grants_set;      /* bit n: grant n was given */
	__u32 tiers_set;
	__u32 scalars_set;
	bool ended;
	__u32 boot_revision;   /* of early boot; 0: any other policy */
	__u32 operators_count;
	struct wd_operator_key operator_names[WD_MAX_OPERATORS];
	struct wd_operator operator_keys[WD_MAX_OPERATORS];
	__u32 trusted_count;
	struct wd_subject trusted[WD_MAX_TRUSTED];
	__u32 loaders_count;
	struct wd_policy_loader loaders[WD_MAX_LOADERS];
	__u32 code_count;
	struct wd_policy_code code[WD_MAX_CODE];
	__u32 domains_count;
	struct wd_policy_domain domains[WD_MAX_DOMAINS];
	__u32 adopted_count;
};

/* A name of up to 63 characters that needs no quoting. Returns NULL or what is wrong with it. */
const char *wd_read_name(const char *text, char ret_name[WD_LOADER_NAME]);

/* Of loader.c, code.c, domain.c: each reads the rest of its line. Returns NULL or what is wrong. */
const char *wd_read_loader(struct wd_policy *policy, char **cursor);
const char *wd_read_code(struct wd_policy *policy, char **cursor);
const char *wd_read_adopt(struct wd_policy *policy, char **cursor);
const char *wd_read_domain(struct wd_policy *policy, char **cursor);

/* `path=/PATH`, to the end of the line: it may hold blanks. Returns NULL or what is wrong. */
const char *wd_read_path(char **cursor, char ret_path[PATH_MAX]);

/* Reads and checks; `ret_policy` is large: let it live in static storage. Returns an exit code. */
int wd_policy_read(const char *path, struct wd_policy *ret_policy);

/* The same of an open file, which is called `path`. */
int wd_policy_take(FILE *file, const char *path, struct wd_policy *ret_policy);

/* `auid`, `loader` or `uid` as its number; 0 for anything else. */
__u32 wd_subject_kind(const char *name);

const char *wd_subject_kind_name(__u32 kind);
const char *wd_loader_kind_name(__u32 kind);
const char *wd_loader_status_name(enum wd_loader_status status);

#endif /* WARDEN_POLICY_H */
