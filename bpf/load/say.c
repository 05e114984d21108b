/* SPDX-License-Identifier: Apache-2.0 */
/* One line on stderr, in one write, safe for a terminal. */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

static void put_byte(struct line *line, unsigned char byte)
{
	char escaped[5];
	int len;

	if (byte >= 0x20 && byte != 0x7f) {
		if (line->len + 1 < sizeof(line->text))
			line->text[line->len++] = (char)byte;
		return;
	}
	len = snprintf(escaped, sizeof(escaped), "\\x%02x", byte);
	if (line->len + len + 1 >= sizeof(line->text))
		return;
	memcpy(line->text + line->len, escaped, len);
	line->len += len;
}

static void put(struct line *line, const char *text)
{
	for (; *text; text++)
		put_byte(line, (unsigned char)*text);
}

static void flush(struct line *line)
{
	size_t done = 0;

	line->text[line->len++] = '\n';
	while (done < line->len) {
		ssize_t n = write(STDERR_FILENO, line->text + done, line->len - done);

		if (n <= 0)
			return;
		done += n;
	}
}

int wd_fail(int code, const char *what, const char *where, int error, const char *advice)
{
	struct line line = {};

	put(&line, "warden-load: ");
	put(&line, what);
	put(&line, ": ");
	put(&line, where);
	if (error) {
		put(&line, ": ");
		put(&line, strerror(abs(error)));
	}
	if (advice) {
		put(&line, error ? "; " : ": ");
		put(&line, advice);
	}
	flush(&line);
	return code;
}

void wd_note(const char *format, ...)
{
	struct line line = {};
	char text[LINE_MAX_BYTES - 64];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	put(&line, "warden-load: ");
	put(&line, text);
	flush(&line);
}
