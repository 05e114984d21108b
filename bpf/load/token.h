/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An offline token: text that an operator signed elsewhere, redeemed once. Lines, each exactly once
 * but `subject` (1 to 8 times), HEXn of exactly n digits, the signature over all before its line:
 *
 *	warden-token 1
 *	action break-glass
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
 *	signature HEX128
 */
#ifndef WARDEN_TOKEN_H
#define WARDEN_TOKEN_H

#include "raise.h"

/* Reads, checks and redeems a token. A refusal is said, and recorded. Returns an exit code. */
int wd_token_redeem(const struct wd_set *set, const char *path, struct wd_request *ret_request);

#endif /* WARDEN_TOKEN_H */
