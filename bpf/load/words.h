/* SPDX-License-Identifier: Apache-2.0 */
/* Words of a line of the compiled policy: single spaces between them, nothing forgiven. */
#ifndef WARDEN_WORDS_H
#define WARDEN_WORDS_H

#include <linux/types.h>
#include <stdint.h>

/* The next word, cut off the line; NULL at its end or for a doubled space. */
char *wd_take_word(char **cursor);

/* The value of the next word, which must be KEY=VALUE; else NULL. */
char *wd_take_value(char **cursor, const char *key);

/* A decimal number from `min` to `max`; `key` is NULL for a bare one. Returns 0 or -EINVAL. */
int wd_take_number(char **cursor, const char *key, uint64_t min, uint64_t max,
		   __u32 *ret_number);

/*
 * A mask of exactly `digits` lower-case hexadecimal digits, as one big number: bit 0 is the last
 * digit's lowest. Fills a word for every 16 digits. Returns 0 or -EINVAL.
 */
int wd_take_mask(char **cursor, const char *key, unsigned int digits, __u64 *ret_words);

#endif /* WARDEN_WORDS_H */
