/* SPDX-License-Identifier: Apache-2.0 */
/* Each line has a function; which lines there must be follows from the action. */
#include "token_text.h"

#include "cleanup.h"
#include "words.h"

#include <stdlib.h>
#include <string.h>

static const char *const ACTIONS[] = {
	[WD_ACTION_GLASS] = "break-glass", [WD_ACTION_UNLOAD] = "unload",
	[WD_ACTION_UPGRADE] = "upgrade",   [WD_ACTION_APPLY] = "apply",
	[WD_ACTION_RAISE] = "raise",	   [WD_ACTION_STOP] = "stop",
	[WD_ACTION_UNSEAL] = "unseal",
};


/* A number of milliseconds: up to 16 digits. */
static const char *read_ms(const char *text, __u64 *ret_ms)
{
	size_t len = text ? strlen(text) : 0;

	if (len == 0 || len > 16 || strspn(text, "0123456789") != len)
		return "needs a number of milliseconds";
	*ret_ms = strtoull(text, NULL, 10);
	return NULL;
}

/* A text that fits, without control characters. */
static const char *read_text(const char *text, char *ret_text, size_t room)
{
	size_t len = text ? strlen(text) : 0;

	if (len == 0 || len >= room)
		return "is missing or too long";
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			return "has control characters";
	memcpy(ret_text, text, len + 1);
	return NULL;
}

static const char *read_version(struct wd_token *token, char *rest)
{
	(void)token;
	return strcmp(rest, "1") ? "this build reads version 1" : NULL;
}

static const char *read_action(struct wd_token *token, char *rest)
{
	token->request.kind = WD_RAISE_GLASS;
	for (__u32 action = 0; action < WD_COUNT(ACTIONS); action++) {
		if (strcmp(rest, ACTIONS[action]))
			continue;
		token->action = action;
		return NULL;
	}
	return "is none that this build knows";
}

static const char *read_digest(struct wd_token *token, char *rest)
{
	return wd_unhex(rest, sizeof(token->digest), token->digest) ?
		       "needs 64 hexadecimal digits" : NULL;
}

static const char *read_host(struct wd_token *token, char *rest)
{
	return read_text(rest, token->host, sizeof(token->host));
}

static const char *read_boot(struct wd_token *token, char *rest)
{
	return read_text(rest, token->boot, sizeof(token->boot));
}

static const char *read_not_before(struct wd_token *token, char *rest)
{
	return read_ms(rest, &token->not_before);
}

static const char *read_not_after(struct wd_token *token, char *rest)
{
	return read_ms(rest, &token->not_after);
}

/* Its first half names the raise from now on. */
static const char *read_nonce(struct wd_token *token, char *rest)
{
	if (wd_unhex(rest, WD_NONCE_LEN, token->nonce.bytes))
		return "needs 32 hexadecimal digits";
	memcpy(token->request.id, rest, 16);
	return NULL;
}

static const char *read_for(struct wd_token *token, char *rest)
{
	return read_ms(rest, &token->request.for_ms);
}

static const char *read_commands(struct wd_token *token, char *rest)
{
	__u8 bytes[sizeof(token->request.commands)];

	if (wd_unhex(rest, sizeof(bytes), bytes))
		return "needs 16 hexadecimal digits";
	for (size_t i = 0; i < sizeof(bytes); i++)
		token->request.commands = token->request.commands << 8 | bytes[i];
	return NULL;
}

static const char *read_over_ceiling(struct wd_token *token, char *rest)
{
	token->request.over_ceiling = rest[0] == '1';
	return strcmp(rest, "0") && strcmp(rest, "1") ? "needs 0 or 1" : NULL;
}

static const char *read_operator(struct wd_token *token, char *rest)
{
	const char *wrong = read_text(rest, token->operator.name, sizeof(token->operator.name));

	if (!wrong)
		wrong = read_text(rest, token->request.author, WD_RAISE_AUTHOR);
	return wrong;
}

static const char *read_reason(struct wd_token *token, char *rest)
{
	return read_text(rest, token->request.reason, WD_RAISE_REASON);
}

static const char *read_signature(struct wd_token *token, char *rest)
{
	return wd_unhex(rest, WD_SIGNATURE_LEN, token->signature) ? "needs 128 hexadecimal digits" :
								NULL;
}

static const char *read_subject(struct wd_token *token, char *rest)
{
	struct wd_request *request = &token->request;
	struct wd_subject *subject = &request->subjects[request->subjects_count];
	char *kind = wd_take_word(&rest);

	if (request->subjects_count == WD_RAISE_SUBJECTS)
		return "more than 8";
	subject->kind = kind ? wd_subject_kind(kind) : 0;
	if (!subject->kind || wd_take_number(&rest, NULL, 0, UINT32_MAX, &subject->id))
		return "needs auid, loader or uid, and a number";
	request->subjects_count++;
	return NULL;
}

static const struct {
	const char *word;
	const char *(*read)(struct wd_token *token, char *rest);
	bool many;
} LINES[] = {
	{ "warden-token", read_version, false },      { "action", read_action, false },
	{ "host", read_host, false },		      { "boot", read_boot, false },
	{ "not_before", read_not_before, false },     { "not_after", read_not_after, false },
	{ "nonce", read_nonce, false },		      { "for_ms", read_for, false },
	{ "commands", read_commands, false },	      { "over_ceiling", read_over_ceiling, false },
	{ "operator", read_operator, false },	      { "reason", read_reason, false },
	{ "subject", read_subject, true },	      { "sha256", read_digest, false },
	{ "signature", read_signature, false },
};

#define LINE(number) (1U << (number))
#define ALL_LINES (LINE(WD_COUNT(LINES)) - 1)
/* for_ms, commands, over_ceiling, subject: who is let do what; sha256: what it is that is done. */
#define GLASS_LINES (LINE(7) | LINE(8) | LINE(9) | LINE(12))
#define DIGEST_LINE LINE(13)

static __u32 lines_of(enum wd_action action)
{
	return ALL_LINES & ~(action == WD_ACTION_GLASS ? DIGEST_LINE : GLASS_LINES);
}

static const char *read_line(struct wd_token *token, char *line)
{
	char *rest = line, *word = wd_take_word(&rest);

	for (__u32 i = 0; word && rest && i < WD_COUNT(LINES); i++) {
		if (strcmp(word, LINES[i].word))
			continue;
		if (token->seen >> i & 1 && !LINES[i].many)
			return "given twice";
		token->seen |= 1U << i;
		return LINES[i].read(token, rest);
	}
	return "unknown line";
}

/* Cuts the text into lines, in place. `ret_line` is the number of the one that is wrong. */
const char *wd_token_parse(char *text, struct wd_token *token, unsigned int *ret_line)
{
	const __u32 signature = 1U << (WD_COUNT(LINES) - 1);

	for (char *at = text, *end; *at; at = end + 1) {
		const char *wrong;

		(*ret_line)++;
		end = strchr(at, '\n');
		if (!end)
			return "is not ended: it was cut off";
		if (token->seen & signature)
			return "nothing may follow the signature";
		*end = 0;
		token->signed_len = at - text;
		wrong = read_line(token, at);
		if (wrong)
			return wrong;
	}
	if (token->seen & ~lines_of(token->action))
		return "has a line that means nothing for its action";
	return token->seen == lines_of(token->action) ? NULL : "lacks a line";
}

const char *wd_action_name(enum wd_action action)
{
	return ACTIONS[action];
}
