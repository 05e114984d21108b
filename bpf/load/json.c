/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON writer for one line: no tree, no allocation. */
#include "json.h"

#include <inttypes.h>

static void put_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		if (*at == '"' || *at == '\\')
			fprintf(out, "\\%c", *at);
		else if (*at < 0x20 || *at >= 0x7f)
			fprintf(out, "\\u%04x", *at);
		else
			fputc(*at, out);
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
