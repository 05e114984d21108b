/* SPDX-License-Identifier: Apache-2.0 */
/* The command line. */
#ifndef WARDEN_OPTIONS_H
#define WARDEN_OPTIONS_H

#include "raise.h"

#include <stdbool.h>
#include <sys/types.h>

enum wd_verb {
	WD_VERB_PROBE,
	WD_VERB_LOAD,
	WD_VERB_UNLOAD,
	WD_VERB_RUN,
	WD_VERB_APPLY,
	WD_VERB_STOP,
	WD_VERB_RAISE,
	WD_VERB_CLEAR,
	WD_VERB_RAISES,
	WD_VERB_GLASS,
	WD_VERB_WATCH,
	WD_VERB_HAND_OVER,
	WD_VERB_SEAL,
	WD_VERB_UNSEAL,
};

struct wd_options {
	enum wd_verb verb;
	bool json;
	bool keep;
	bool verbose;
	const char *dir;
	const char *policy;
	const char *user;
	const char *app;
	const char *state;
	gid_t gid;
	bool has_gid;
	__u32 mode;	       /* enum wd_mode, or 0: the best that this kernel can */
	__u32 ring_bytes[WD_ALL_RINGS]; /* 0: as built */
	const char *source;    /* of `apply`: the policy that services read */
	const char *token;     /* of `break-glass` */
	const char *boot_policy; /* of `load` */
	const char *to;	       /* of `hand-over` */
	struct wd_request request; /* of `raise` and `clear` */
	char **command;	       /* of `run`, ended by NULL */
};

/* Returns EX_OK, EX_USAGE (said), or -1 when --help was asked for and printed. */
int wd_options_read(int argc, char **argv, struct wd_options *ret_options);

#endif /* WARDEN_OPTIONS_H */
