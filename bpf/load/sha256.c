/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 as FIPS 180-4 writes it down; hashing is never on a hot path here. */
#include "sha256.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 64
#define ROUNDS 64

struct state {
	uint32_t hash[8];
	uint64_t total;
	uint8_t block[BLOCK];
	size_t used;
};

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t K[ROUNDS] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t rotate(uint32_t x, unsigned int by)
{
	return x >> by | x << (32 - by);
}

static void schedule(const uint8_t block[BLOCK], uint32_t w[ROUNDS])
{
	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
		       (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (int i = 16; i < ROUNDS; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];
		uint32_t s0 = rotate(a, 7) ^ rotate(a, 18) ^ a >> 3;
		uint32_t s1 = rotate(b, 17) ^ rotate(b, 19) ^ b >> 10;

		w[i] = w[i - 16] + s0 + w[i - 7] + s1;
	}
}

static void compress(uint32_t hash[8], const uint8_t block[BLOCK])
{
	uint32_t w[ROUNDS], v[8];

	schedule(block, w);
	memcpy(v, hash, sizeof(v));
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
		uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
		uint32_t t1 = v[7] + s1 + choice + K[i] + w[i];
		uint32_t s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
		uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);

		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + s0 + majority;
	}
	for (int i = 0; i < 8; i++)
		hash[i] += v[i];
}

static void start(struct state *state)
{
	static const uint32_t initial[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	memset(state, 0, sizeof(*state));
	memcpy(state->hash, initial, sizeof(initial));
}

static void update(struct state *state, const uint8_t *data, size_t len)
{
	state->total += len;
	while (len > 0) {
		size_t take = BLOCK - state->used < len ? BLOCK - state->used : len;

		memcpy(state->block + state->used, data, take);
		state->used += take;
		data += take;
		len -= take;
		if (state->used < BLOCK)
			return;
		compress(state->hash, state->block);
		state->used = 0;
	}
}

static void finish(struct state *state, uint8_t ret_digest[WD_SHA256_LEN])
{
	uint64_t bits = state->total * 8;
	uint8_t length[8], one = 0x80, zero = 0;

	update(state, &one, 1);
	while (state->used != BLOCK - sizeof(length))
		update(state, &zero, 1);
	for (int i = 0; i < 8; i++)
		length[i] = (uint8_t)(bits >> (56 - 8 * i));
	update(state, length, sizeof(length));
	for (int i = 0; i < WD_SHA256_LEN; i++)
		ret_digest[i] = (uint8_t)(state->hash[i / 4] >> (24 - 8 * (i % 4)));
}

void wd_sha256(const void *data, size_t len, uint8_t ret_digest[WD_SHA256_LEN])
{
	struct state state;

	start(&state);
	update(&state, data, len);
	finish(&state, ret_digest);
}

int wd_sha256_fd(int fd, uint8_t ret_digest[WD_SHA256_LEN])
{
	static uint8_t buffer[65536];
	struct state state;
	off_t at = 0;
	ssize_t n;

	start(&state);
	while ((n = pread(fd, buffer, sizeof(buffer), at)) > 0) {
		update(&state, buffer, n);
		at += n;
	}
	if (n < 0)
		return -errno;
	finish(&state, ret_digest);
	return 0;
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
