/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON writer for one line: no tree, no allocation. */
#include "json.h"

#include <inttypes.h>

/* Bytes of the UTF-8 sequence that begins at `at`, of two bytes or more; 0 when it is none. */
static int sequence_length(const unsigned char *at)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = { { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };

	for (int i = 0; i < 3; i++) {
		uint32_t point = *at & ~forms[i].mask;
		int len = 1;

		if ((*at & forms[i].mask) != forms[i].lead)
			continue;
		for (; len < i + 2 && (at[len] & 0xc0) == 0x80; len++)
			point = point << 6 | (at[len] & 0x3f);
		if (len < i + 2 || point < forms[i].least || point > 0x10ffff ||
		    (point >= 0xd800 && point < 0xe000))
			return 0;
		return len;
	}
	return 0;
}

static void put_text(FILE *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	fputc('"', out);
	while (*at) {
		int len = *at >= 0x80 ? sequence_length(at) : 0;

		if (len > 0)
			fwrite(at, 1, len, out);
		else if (*at == '"' || *at == '\\')
			fprintf(out, "\\%c", *at);
		else if (*at < 0x20 || *at >= 0x7f)
			fprintf(out, "\\u%04x", *at);
		else
			fputc(*at, out);
		at += len > 0 ? len : 1;
	}
	fputc('"', out);
}

static void begin(struct wd_json *json, const char *key)
{
	if (json->comma)
		fputc(',', json->out);
	json->comma = true;
	if (!key)
		return;
	put_text(json->out, key);
	fputc(':', json->out);
}

void wd_json_open(struct wd_json *json, const char *key, char bracket)
{
	begin(json, key);
	fputc(bracket, json->out);
	json->comma = false;
}

void wd_json_close(struct wd_json *json, char bracket)
{
	fputc(bracket, json->out);
	json->comma = true;
}

void wd_json_text(struct wd_json *json, const char *key, const char *value)
{
	begin(json, key);
	put_text(json->out, value);
}

void wd_json_number(struct wd_json *json, const char *key, int64_t value)
{
	begin(json, key);
	fprintf(json->out, "%" PRId64, value);
}

void wd_json_bool(struct wd_json *json, const char *key, bool value)
{
	begin(json, key);
	fputs(value ? "true" : "false", json->out);
}

void wd_json_null(struct wd_json *json, const char *key)
{
	begin(json, key);
	fputs("null", json->out);
}
