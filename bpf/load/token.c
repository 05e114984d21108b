/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 is libcrypto's; the key is of the operator that the policy in force names. */
#include "token.h"

#include "cleanup.h"
#include "say.h"
#include "sha256.h"
#include "words.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TOKEN_MAX 4096
#define SIGNATURE_LEN 64
#define HOST_LEN 254
#define BOOT_LEN 40

struct token {
	struct wd_request request;
	char host[HOST_LEN];
	char boot[BOOT_LEN];
	__u64 not_before;
	__u64 not_after;
	struct wd_nonce nonce;
	struct wd_operator_key operator;
	__u8 signature[SIGNATURE_LEN];
	size_t signed_len;
	__u32 seen;	       /* bit n: line n of LINES */
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

static const char *read_version(struct token *token, char *rest)
{
	(void)token;
	return strcmp(rest, "1") ? "this build reads version 1" : NULL;
}

static const char *read_action(struct token *token, char *rest)
{
	token->request.kind = WD_RAISE_GLASS;
	return strcmp(rest, "break-glass") ? "needs break-glass" : NULL;
}

static const char *read_host(struct token *token, char *rest)
{
	return read_text(rest, token->host, sizeof(token->host));
}

static const char *read_boot(struct token *token, char *rest)
{
	return read_text(rest, token->boot, sizeof(token->boot));
}

static const char *read_not_before(struct token *token, char *rest)
{
	return read_ms(rest, &token->not_before);
}

static const char *read_not_after(struct token *token, char *rest)
{
	return read_ms(rest, &token->not_after);
}

/* Its first half names the raise from now on. */
static const char *read_nonce(struct token *token, char *rest)
{
	if (wd_unhex(rest, WD_NONCE_LEN, token->nonce.bytes))
		return "needs 32 hexadecimal digits";
	memcpy(token->request.id, rest, 16);
	return NULL;
}

static const char *read_for(struct token *token, char *rest)
{
	return read_ms(rest, &token->request.for_ms);
}

static const char *read_commands(struct token *token, char *rest)
{
	__u8 bytes[sizeof(token->request.commands)];

	if (wd_unhex(rest, sizeof(bytes), bytes))
		return "needs 16 hexadecimal digits";
	for (size_t i = 0; i < sizeof(bytes); i++)
		token->request.commands = token->request.commands << 8 | bytes[i];
	return NULL;
}

static const char *read_over_ceiling(struct token *token, char *rest)
{
	token->request.over_ceiling = rest[0] == '1';
	return strcmp(rest, "0") && strcmp(rest, "1") ? "needs 0 or 1" : NULL;
}

static const char *read_operator(struct token *token, char *rest)
{
	const char *wrong = read_text(rest, token->operator.name, sizeof(token->operator.name));

	if (!wrong)
		wrong = read_text(rest, token->request.author, WD_RAISE_AUTHOR);
	return wrong;
}

static const char *read_reason(struct token *token, char *rest)
{
	return read_text(rest, token->request.reason, WD_RAISE_REASON);
}

static const char *read_signature(struct token *token, char *rest)
{
	return wd_unhex(rest, SIGNATURE_LEN, token->signature) ? "needs 128 hexadecimal digits" :
								NULL;
}

static const char *read_subject(struct token *token, char *rest)
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
	const char *(*read)(struct token *token, char *rest);
	bool many;
} LINES[] = {
	{ "warden-token", read_version, false },      { "action", read_action, false },
	{ "host", read_host, false },		      { "boot", read_boot, false },
	{ "not_before", read_not_before, false },     { "not_after", read_not_after, false },
	{ "nonce", read_nonce, false },		      { "for_ms", read_for, false },
	{ "commands", read_commands, false },	      { "over_ceiling", read_over_ceiling, false },
	{ "operator", read_operator, false },	      { "reason", read_reason, false },
	{ "subject", read_subject, true },	      { "signature", read_signature, false },
};

#define ALL_LINES ((1U << WD_COUNT(LINES)) - 1)

static const char *read_line(struct token *token, char *line)
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
static const char *read_token(char *text, struct token *token, unsigned int *ret_line)
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
	return token->seen == ALL_LINES ? NULL : "lacks a line";
}

static __u64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (__u64)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_host(const char *wanted)
{
	const char *name = getenv("WARDEN_HOST");
	char own[HOST_LEN] = "";

	if (!strcmp(wanted, "*"))
		return true;
	if (!name && gethostname(own, sizeof(own) - 1) == 0)
		name = own;
	return name && !strcasecmp(wanted, name);
}

static bool is_boot(const char *wanted)
{
	_cleanup_file_ FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	char own[BOOT_LEN] = "";

	if (!strcmp(wanted, "*"))
		return true;
	if (!file || !fgets(own, sizeof(own), file))
		return false;
	own[strcspn(own, "\n")] = 0;
	return !strcmp(wanted, own);
}

static bool verifies(const struct wd_operator *operator, const char *text, size_t len,
		     const __u8 *signature)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, operator->key,
						    WD_KEY_LEN);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = key && context &&
		    EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
		    EVP_DigestVerify(context, signature, SIGNATURE_LEN,
				     (const unsigned char *)text, len) == 1;

	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	return good;
}

/* What is wrong with a token that can be read; `text` as it was signed. */
static const char *check(const struct wd_set *set, const struct token *token, const char *text)
{
	struct wd_operator operator;
	__u64 now = now_ms();
	__u32 used;

	if (bpf_map_lookup_elem(set->map[WD_MAP_OPERATORS], &token->operator, &operator))
		return "the policy in force has no such operator";
	if (!verifies(&operator, text, token->signed_len, token->signature))
		return "its signature is not the operator's";
	if (!is_host(token->host))
		return "it is for another host";
	if (!is_boot(token->boot))
		return "it is for another boot of this host";
	if (now < token->not_before || now > token->not_after)
		return now < token->not_before ? "it is not valid yet" : "it is not valid any more";
	if (!bpf_map_lookup_elem(set->map[WD_MAP_NONCES], &token->nonce, &used))
		return "it was redeemed before";
	return NULL;
}

static int fail_read(const char *path, unsigned int line, const char *wrong)
{
	char where[512];

	snprintf(where, sizeof(where), "%s:%u", path, line);
	return wd_fail(EX_DATAERR, "token", where, 0, wrong);
}

static int read_file(const char *path, char ret_text[TOKEN_MAX + 1])
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : read(fd, ret_text, TOKEN_MAX + 1);

	if (n < 0)
		return wd_fail(EX_NOINPUT, "token", path, errno, NULL);
	if (n > TOKEN_MAX || memchr(ret_text, 0, n))
		return wd_fail(EX_DATAERR, "token", path, 0, "longer than 4096 bytes, or no text");
	ret_text[n] = 0;
	return EX_OK;
}

static int refuse(const struct wd_set *set, const struct token *token, const char *path,
		  int code, const char *why)
{
	wd_raise_refused(set, &token->request, why);
	return wd_fail(code, "token", path, 0, why);
}

int wd_token_redeem(const struct wd_set *set, const char *path, struct wd_request *ret_request)
{
	static char text[TOKEN_MAX + 1], copy[TOKEN_MAX + 1];
	static struct token token;
	unsigned int line = 0;
	__u32 used = 1;
	const char *wrong;
	int code = read_file(path, text);

	if (code)
		return code;
	memcpy(copy, text, sizeof(copy));
	wrong = read_token(copy, &token, &line);
	if (wrong)
		return fail_read(path, line, wrong);
	wrong = check(set, &token, text);
	if (wrong)
		return refuse(set, &token, path, EX_NOPERM, wrong);
	/* Before the nonce is used up: what is refused now may be given later. */
	wrong = wd_raise_wrong(set, &token.request, &code);
	if (wrong)
		return refuse(set, &token, path, code, wrong);
	/* Before it acts: a crash in between wastes the token, it can't be redeemed twice. */
	if (bpf_map_update_elem(set->map[WD_MAP_NONCES], &token.nonce, &used, BPF_NOEXIST))
		return refuse(set, &token, path, EX_OSERR,
			      "its nonce can't be kept: 4096 were redeemed since the programs "
			      "were loaded");
	code = wd_raise_set(set, &token.request);
	if (!code)
		*ret_request = token.request;
	return code;
}
