/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What warden-load says: part of warden.h, which includes it. */
#ifndef WARDEN_RAISED_H
#define WARDEN_RAISED_H

/* What warden-load says of what it gave and took, or of a token that it refused. */
enum wd_raise_kind {
	WD_RAISE_PIN = 1,
	WD_RAISE_GLASS = 2,
	WD_RAISE_OBSERVE = 3,
	/* Of the guard itself, in words; `set` is a bad thing that begins, `cleared` its end. */
	WD_SAID_GUARD = 4,
	WD_SAID_SEAL = 5,      /* set: sealed; cleared: not any more; refused: no token */
	/*
	 * Of a loader's file, with enum wd_said_file as its action: the subject is the loader, `id`
	 * the SHA-256 of the file that is there now, `author` its name, `reason` its path, and
	 * `until_boot_ns` the end of what is kept, 0 where it has none.
	 */
	WD_SAID_FILE = 6,
};

enum wd_said_file {
	WD_FILE_LISTED = 1,    /* of a content that the policy lists: the loader, as before */
	WD_FILE_KEPT = 2,      /* of another: the loader all the same, by on_change */
	WD_FILE_DENIED = 3,    /* of another: nobody that the policy knows */
	WD_FILE_ENDED = 4,     /* was kept, for a time that is over */
	WD_FILE_GONE = 5,      /* there is none */
};

enum wd_raise_action {
	WD_RAISE_SET = 1,
	WD_RAISE_CLEARED = 2,
	WD_RAISE_REFUSED = 3,
	WD_SAID_BEFORE = 4,    /* of the guard: what was attached before it */
	WD_SAID_UNHEARD = 5,   /* of the guard: it runs, and nobody tells of it for a while */
};

#define WD_RAISE_ID 32 /* as WD_DIGEST_LEN: see WD_SAID_FILE */
#define WD_RAISE_AUTHOR 64
#define WD_RAISE_REASON 128

struct wd_raised {
	struct wd_record head;
	struct wd_subject subject;
	__u32 kind;	       /* enum wd_raise_kind */
	__u32 action;	       /* enum wd_raise_action */
	__u32 tier;	       /* of a pin */
	__u32 pad;
	__u64 commands;	       /* of break-glass: bit n is command n */
	__u64 until_boot_ns;
	__u64 issued_ms;       /* since 1970: when the operator asked; 0: unknown */
	char id[WD_RAISE_ID];	      /* NUL-padded, as all three */
	char author[WD_RAISE_AUTHOR];
	char reason[WD_RAISE_REASON];
};

#endif /* WARDEN_RAISED_H */
