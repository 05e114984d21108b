/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was attached before the guard, which it could neither see being made nor refuse: every link,
 * and programs of types that can override or follow others, linked or not. DIR/before.json, and a
 * record of each.
 */
#ifndef WARDEN_BEFORE_H
#define WARDEN_BEFORE_H

#include "set.h"

#include <linux/bpf.h>

#define WD_BEFORE_MAX 256

struct wd_before {
	__u32 link;	       /* its id; 0: a program that has none */
	__u32 link_type;
	__u32 program;
	__u32 program_type;
	__u32 attach_type;     /* of a tracing link: what tells fmod_ret from fentry */
	char name[BPF_OBJ_NAME_LEN];
};

struct wd_before_list {
	__u32 count;
	__u32 left_out;	       /* more than there was room for */
	struct wd_before entry[WD_BEFORE_MAX];
};

/* Before anything of ours is there. Returns 0 or -errno. */
int wd_before_look(struct wd_before_list *ret_list);

/* Writes the file, and tells the record. The guard is in force by now. Returns an exit code. */
int wd_before_tell(const char *dir, const struct wd_set *set, const struct wd_before_list *list);

#endif /* WARDEN_BEFORE_H */
