/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy of early boot, before there is anything but what the initramfs holds. A file, signed
 * over all that is before its last line, HEXn of exactly n digits:
 *
 *	warden-boot 1
 *	revision N		grows with each policy that is signed for a host
 *	operator NAME
 *	(a compiled policy)
 *	signature HEX128
 *
 * Beside it: `operators`, lines of "NAME HEX64", whose signatures count; `revision`, the last one
 * that was accepted; `accepted`, the file that had it.
 */
#ifndef WARDEN_BOOT_H
#define WARDEN_BOOT_H

#include "policy.h"
#include "set.h"

#define WD_BOOT_TEXT 128

struct wd_boot {
	__u32 revision;	       /* 0: none could be used: the built-in policy, which observes */
	char refused[WD_BOOT_TEXT]; /* why FILE was not used; empty when it was */
};

/*
 * Takes FILE when its signature is an operator's and its revision is not older than one that was
 * accepted; else the newest that was; else what is built in. Never fails for want of a policy: a
 * host must boot. `ret_policy` is large. Returns an exit code.
 */
int wd_boot_choose(const char *file, struct wd_policy *ret_policy, struct wd_boot *ret_boot);

/* Tells the record what was refused, and remembers, where it can be written, what is in force. */
void wd_boot_told(const struct wd_set *set, const char *file, const struct wd_boot *boot);

/* True when the kernel's command line has warden=off. */
bool wd_boot_is_off(void);

/* DIR/off: says to whoever comes later that nothing was attached. */
int wd_boot_note_off(const char *dir);

/* Tells the record of such a note, which is gone then. */
void wd_boot_tell_off(const struct wd_set *set, const char *dir);

#endif /* WARDEN_BOOT_H */
