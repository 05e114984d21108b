/* SPDX-License-Identifier: Apache-2.0 */
/* `run`: load, start the service without privileges, stay as its monitor. */
#ifndef WARDEN_RUN_H
#define WARDEN_RUN_H

#include "options.h"

/*
 * Watches over what is loaded until it is told to stop: for the time before the services, such as
 * early boot. Changes nothing. Returns an exit code.
 */
int wd_watch(const struct wd_options *options);

/* Returns an exit code. */
int wd_run(const struct wd_options *options);

#endif /* WARDEN_RUN_H */
