/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4), of a buffer or of a file. */
#ifndef WARDEN_SHA256_H
#define WARDEN_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define WD_SHA256_LEN 32
#define WD_SHA256_HEX (2 * WD_SHA256_LEN + 1)

void wd_sha256(const void *data, size_t len, uint8_t ret_digest[WD_SHA256_LEN]);

/* Of an open file from its beginning. Returns 0 or -errno. */
int wd_sha256_fd(int fd, uint8_t ret_digest[WD_SHA256_LEN]);

void wd_hex(const uint8_t *bytes, size_t len, char *ret_text);

/* Reads exactly `len` bytes from 2 * len lower-case hexadecimal digits. Returns 0 or -EINVAL. */
int wd_unhex(const char *text, size_t len, uint8_t *ret_bytes);

#endif /* WARDEN_SHA256_H */
