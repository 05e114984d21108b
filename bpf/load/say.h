/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person reads: one line on stderr, "warden-load: what: where: what to do", with control
 * characters escaped. Functions that talk return an exit code of sysexits.h (0 is success), others
 * 0 or -errno.
 */
#ifndef WARDEN_SAY_H
#define WARDEN_SAY_H

#include <sysexits.h>

/* warden=off: nothing was attached, as asked. */
#define WD_EX_OFF 79

/* Prints the line, returns `code`. `error` is 0 or an errno, either sign; `advice` may be NULL. */
int wd_fail(int code, const char *what, const char *where, int error, const char *advice);

/* One line that is no error. */
void wd_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* WARDEN_SAY_H */
