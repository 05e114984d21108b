/* SPDX-License-Identifier: Apache-2.0 */
/* Writes one JSON object on one line. What is no UTF-8 in a value is read as Latin-1. */
#ifndef WARDEN_JSON_H
#define WARDEN_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct wd_json {
	FILE *out;
	bool comma;
};

/* `key` is NULL for the outermost object and inside an array. */
void wd_json_open(struct wd_json *json, const char *key, char bracket);
void wd_json_close(struct wd_json *json, char bracket);
void wd_json_text(struct wd_json *json, const char *key, const char *value);
void wd_json_number(struct wd_json *json, const char *key, int64_t value);
void wd_json_bool(struct wd_json *json, const char *key, bool value);
void wd_json_null(struct wd_json *json, const char *key);

#endif /* WARDEN_JSON_H */
