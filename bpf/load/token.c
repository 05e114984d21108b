/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 is libcrypto's; the key is of the operator that the policy in force names. */
#include "token.h"

#include "cleanup.h"
#include "own_mount.h"
#include "prove.h"
#include "say.h"
#include "token_text.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TOKEN_MAX 4096

static __u64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (__u64)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_host(const char *wanted)
{
	const char *name = getenv("WARDEN_HOST");
	char own[WD_TOKEN_HOST] = "";

	if (!strcmp(wanted, "*"))
		return true;
	if (!name && gethostname(own, sizeof(own) - 1) == 0)
		name = own;
	return name && !strcasecmp(wanted, name);
}

static bool is_boot(const char *wanted)
{
	_cleanup_fd_ int fd = -1;
	char own[WD_TOKEN_BOOT] = "";

	if (!strcmp(wanted, "*"))
		return true;
	fd = wd_open_own("proc", "sys/kernel/random/boot_id", O_RDONLY);
	if (fd < 0 || read(fd, own, sizeof(own) - 1) < 1)
		return false;
	own[strcspn(own, "\n")] = 0;
	return !strcmp(wanted, own);
}

bool wd_verifies(const struct wd_operator *operator, const char *text, size_t len,
		 const __u8 signature[WD_SIGNATURE_LEN])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, operator->key,
						    WD_KEY_LEN);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = key && context &&
		    EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
		    EVP_DigestVerify(context, signature, WD_SIGNATURE_LEN,
				     (const unsigned char *)text, len) == 1;

	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	return good;
}

/* What is wrong with a token that can be read; `text` as it was signed. */
static const char *check(const struct wd_set *set, const struct wd_token *token, const char *text)
{
	struct wd_operator operator;
	__u64 now = now_ms();
	__u32 used;

	if (bpf_map_lookup_elem(set->map[WD_MAP_OPERATORS], &token->operator, &operator))
		return "the policy in force has no such operator";
	if (!wd_verifies(&operator, text, token->signed_len, token->signature))
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

static int refuse(const struct wd_set *set, const struct wd_token *token, const char *path,
		  int code, const char *why)
{
	char text[WD_RAISE_REASON];

	snprintf(text, sizeof(text), "%s: %s", wd_action_name(token->action), why);
	if (token->action == WD_ACTION_GLASS)
		wd_raise_refused(set, &token->request, why);
	else
		wd_say_state(set, WD_SAID_SEAL, WD_RAISE_REFUSED, text);
	return wd_fail(code, "token", path, 0, why);
}

/* Reads and checks, but uses nothing up. */
static int take(const struct wd_set *set, const char *path, enum wd_action wanted,
		struct wd_token *token)
{
	static char text[TOKEN_MAX + 1], copy[TOKEN_MAX + 1];
	unsigned int line = 0;
	const char *wrong;
	int code = read_file(path, text);

	if (code)
		return code;
	memcpy(copy, text, sizeof(copy));
	memset(token, 0, sizeof(*token));
	wrong = wd_token_parse(copy, token, &line);
	if (wrong)
		return fail_read(path, line, wrong);
	wrong = check(set, token, text);
	if (!wrong && token->action != wanted)
		wrong = "it is for another action";
	return wrong ? refuse(set, token, path, EX_NOPERM, wrong) : EX_OK;
}

/* Before it acts: a crash in between wastes the token, it can't be redeemed twice. */
static int use_up(const struct wd_set *set, const struct wd_token *token, const char *path)
{
	__u32 used = 1;

	if (bpf_map_update_elem(set->map[WD_MAP_NONCES], &token->nonce, &used, BPF_NOEXIST))
		return refuse(set, token, path, EX_OSERR,
			      "its nonce can't be kept: 4096 were redeemed since the programs "
			      "were loaded");
	return EX_OK;
}

int wd_token_redeem(const struct wd_set *set, const char *path, struct wd_request *ret_request)
{
	static struct wd_token token;
	const char *wrong;
	int code = take(set, path, WD_ACTION_GLASS, &token);

	if (code)
		return code;
	/* Before the nonce is used up: what is refused now may be given later. */
	wrong = wd_raise_wrong(set, &token.request, &code);
	if (wrong)
		return refuse(set, &token, path, code, wrong);
	code = use_up(set, &token, path);
	if (!code)
		code = wd_raise_set(set, &token.request);
	if (!code)
		*ret_request = token.request;
	return code;
}

int wd_token_allow(const struct wd_set *set, const char *path, enum wd_action action,
		   const __u8 *digest)
{
	static const __u8 nothing[WD_SHA256_LEN];
	static struct wd_token token;
	int err, code = take(set, path, action, &token);

	if (code)
		return code;
	if (memcmp(token.digest, digest ? digest : nothing, sizeof(token.digest)))
		return refuse(set, &token, path, EX_NOPERM, "it is for something else: sha256");
	code = use_up(set, &token, path);
	if (code)
		return code;
	err = wd_role_unsealed(set);
	return err ? wd_fail(EX_OSERR, "take role", "tasks", err, NULL) : EX_OK;
}
