/* SPDX-License-Identifier: Apache-2.0 */
/* A token as it is written: see token.h for its lines. What it says may be a lie. */
#ifndef WARDEN_TOKEN_TEXT_H
#define WARDEN_TOKEN_TEXT_H

#include "sha256.h"
#include "token.h"

#define WD_TOKEN_HOST 254
#define WD_TOKEN_BOOT 40

struct wd_token {
	enum wd_action action;
	__u8 digest[WD_SHA256_LEN];
	struct wd_request request;
	char host[WD_TOKEN_HOST];
	char boot[WD_TOKEN_BOOT];
	__u64 not_before;
	__u64 not_after;
	struct wd_nonce nonce;
	struct wd_operator_key operator;
	__u8 signature[WD_SIGNATURE_LEN];
	size_t signed_len;
	__u32 seen;	       /* bit n: line n of LINES */
};

/*
 * Cuts the text into lines, in place, and reads them into a zeroed token. Returns what is wrong,
 * with the number of the line in `ret_line`; NULL when nothing is.
 */
const char *wd_token_parse(char *text, struct wd_token *token, unsigned int *ret_line);

#endif /* WARDEN_TOKEN_TEXT_H */
