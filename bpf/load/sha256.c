/* SPDX-License-Identifier: Apache-2.0 */
/* By libcrypto, which uses what the processor has for it. */
#include "sha256.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

void wd_sha256(const void *data, size_t len, uint8_t ret_digest[WD_SHA256_LEN])
{
	EVP_Digest(data, len, ret_digest, NULL, EVP_sha256(), NULL);
}

static int add_all(EVP_MD_CTX *context, int fd)
{
	static uint8_t buffer[1 << 16];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, buffer, sizeof(buffer), at)) > 0) {
		if (EVP_DigestUpdate(context, buffer, n) != 1)
			return -ENOMEM;
		at += n;
	}
	return n < 0 ? -errno : 0;
}

int wd_sha256_fd(int fd, uint8_t ret_digest[WD_SHA256_LEN])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int err = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;

	if (!err)
		err = add_all(context, fd);
	if (!err && EVP_DigestFinal_ex(context, ret_digest, NULL) != 1)
		err = -ENOMEM;
	EVP_MD_CTX_free(context);
	return err;
}

void wd_hex(const uint8_t *bytes, size_t len, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		ret_text[2 * i] = digits[bytes[i] >> 4];
		ret_text[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret_text[2 * len] = 0;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int wd_unhex(const char *text, size_t len, uint8_t *ret_bytes)
{
	if (strnlen(text, 2 * len + 1) != 2 * len)
		return -EINVAL;
	for (size_t i = 0; i < 2 * len; i++)
		if (digit(text[i]) < 0)
			return -EINVAL;
	for (size_t i = 0; i < len; i++)
		ret_bytes[i] = (uint8_t)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
	return 0;
}
