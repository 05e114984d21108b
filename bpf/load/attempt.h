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
	bool ran;	       /* the program was seen to run */
};

/* Loads a program that counts, attaches it to `target`, calls bpf(2), looks whether it counted. */
void wd_try_tracing(struct wd_attempt *attempt, enum bpf_prog_type type,
		    enum bpf_attach_type attach, const char *target);

void wd_try_iterator(struct wd_attempt *attempt, const char *target);
void wd_try_map(struct wd_attempt *attempt, enum bpf_map_type type);
void wd_try_kprobes(struct wd_attempt *attempt);

/* int 0x80: a second way into bpf(2), which some hooks miss. */
void wd_try_ia32(struct wd_attempt *attempt);

/* The list of security modules, from securityfs, mounted privately if need be; "": unknown. */
void wd_read_lsm_list(char *ret_text, int size);

#endif /* WARDEN_ATTEMPT_H */
