/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An offline token: text that an operator signed elsewhere, redeemed once. Lines, each exactly once
 * but `subject` (1 to 8 times), HEXn of exactly n digits, the signature over all before its line:
 *
 *	warden-token 1
 *	action break-glass|unload|upgrade|apply|raise|stop|unseal
 *	host NAME|*
 *	boot UUID|*
 *	not_before MS		since 1970: when it may be redeemed
 *	not_after MS
 *	nonce HEX32
 *	for_ms N
 *	commands HEX16
 *	over_ceiling 0|1
 *	operator NAME
 *	reason TEXT
 *	subject auid|loader|uid NUMBER
 *	sha256 HEX64		what it is for
 *	signature HEX128
 *
 * for_ms, commands, over_ceiling and subject are of break-glass only, and sha256 of the others: of
 * the warden-load that an upgrade is to, the compiled policy that is applied, the text of a raise;
 * zeroes for unload, stop and unseal.
 */
#ifndef WARDEN_TOKEN_H
#define WARDEN_TOKEN_H

#include "raise.h"

#define WD_SIGNATURE_LEN 64

/* True when the operator signed these bytes. */
bool wd_verifies(const struct wd_operator *operator, const char *text, size_t len,
		 const __u8 signature[WD_SIGNATURE_LEN]);

enum wd_action {
	WD_ACTION_GLASS,
	WD_ACTION_UNLOAD,
	WD_ACTION_UPGRADE,
	WD_ACTION_APPLY,
	WD_ACTION_RAISE,
	WD_ACTION_STOP,
	WD_ACTION_UNSEAL,
};

/* As a token has it. */
const char *wd_action_name(enum wd_action action);

/*
 * Uses up a token for `action` on what has this SHA-256 (NULL: on nothing in particular). A refusal
 * is said, and recorded. Returns an exit code.
 */
int wd_token_allow(const struct wd_set *set, const char *path, enum wd_action action,
		   const __u8 *digest);

/*
 * Reads, checks and redeems a token of break-glass. A refusal is said, and recorded. Returns an
 * exit code.
 */
int wd_token_redeem(const struct wd_set *set, const char *path, struct wd_request *ret_request);

#endif /* WARDEN_TOKEN_H */
