/* SPDX-License-Identifier: Apache-2.0 */
/* Each word is cut off the line in place; a number is digits and nothing else. */
#include "words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORD_DIGITS 16

char *wd_take_word(char **cursor)
{
	char *word = *cursor, *space;

	if (!word || !*word || *word == ' ')
		return NULL;
	space = strchr(word, ' ');
	if (space)
		*space = 0;
	*cursor = space ? space + 1 : NULL;
	return word;
}

char *wd_take_value(char **cursor, const char *key)
{
	char *word = wd_take_word(cursor);
	size_t len = strlen(key);

	if (!word || strncmp(word, key, len) || word[len] != '=')
		return NULL;
	return word + len + 1;
}

int wd_take_number(char **cursor, const char *key, uint64_t min, uint64_t max,
		   __u32 *ret_number)
{
	const char *text = key ? wd_take_value(cursor, key) : wd_take_word(cursor);
	size_t len = text ? strlen(text) : 0;
	unsigned long long number;

	if (len == 0 || len > 10 || strspn(text, "0123456789") != len ||
	    (len > 1 && text[0] == '0'))
		return -EINVAL;
	number = strtoull(text, NULL, 10);
	if (number < min || number > max || number > UINT32_MAX)
		return -EINVAL;
	*ret_number = (__u32)number;
	return 0;
}

int wd_take_mask(char **cursor, const char *key, unsigned int digits, __u64 *ret_words)
{
	const char *text = wd_take_value(cursor, key);
	unsigned int words = (digits + WORD_DIGITS - 1) / WORD_DIGITS;

	if (!text || strlen(text) != digits || strspn(text, "0123456789abcdef") != digits)
		return -EINVAL;
	memset(ret_words, 0, words * sizeof(*ret_words));
	for (unsigned int i = 0; i < digits; i++) {
		unsigned int place = digits - 1 - i;
		__u64 value = text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10;

		ret_words[place / WORD_DIGITS] |= value << place % WORD_DIGITS * 4;
	}
	return 0;
}
