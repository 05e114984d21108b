/* SPDX-License-Identifier: Apache-2.0 */
/* `probe`: what this kernel gives, by trying each thing. */
#ifndef WARDEN_PROBE_H
#define WARDEN_PROBE_H

#include "options.h"

/* Prints a table, or one line of JSON. Returns an exit code. */
int wd_probe(const struct wd_options *options);

#endif /* WARDEN_PROBE_H */
