/* SPDX-License-Identifier: Apache-2.0 */
/* `run`: load, start the service without privileges, stay as its monitor. */
#ifndef WARDEN_RUN_H
#define WARDEN_RUN_H

#include "options.h"

/* Returns an exit code. */
int wd_run(const struct wd_options *options);

#endif /* WARDEN_RUN_H */
