/* SPDX-License-Identifier: Apache-2.0 */
/* Tries one kernel feature by using it. */
#ifndef WARDEN_ATTEMPT_H
#define WARDEN_ATTEMPT_H

#include <bpf/bpf.h>
#include <stdbool.h>

struct wd_attempt {
	const char *name;
	int error;	       /* 0, or an errno, positive */
	const char *detail;    /* for a person; NULL when it works */
	bool provoked;	       /* something was done that it must see */
	bool ran;	       /* the program was seen to run */
};

/*
 * Loads a program that counts, attaches it where `section` says ("lsm/bpf", "fexit/__sys_bpf"…),
 * uses bpf(2), forks, and looks whether it counted. A hook that all this does not reach is only
 * attached.
 */
void wd_try_hook(struct wd_attempt *attempt, const char *section);

/* True when this kernel has what `section` names. Attaches nothing. */
bool wd_hook_exists(const char *section);

void wd_try_map(struct wd_attempt *attempt, enum bpf_map_type type);
void wd_try_kprobes(struct wd_attempt *attempt);

/* int 0x80: a second way into bpf(2), which some hooks miss. */
void wd_try_ia32(struct wd_attempt *attempt);

/* The list of security modules, from securityfs, mounted privately if need be; "": unknown. */
void wd_read_lsm_list(char *ret_text, int size);

#endif /* WARDEN_ATTEMPT_H */
