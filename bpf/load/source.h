/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WARDEN_SOURCE_H
#define WARDEN_SOURCE_H

#include <stdbool.h>

/* A policy's file must be root's, and nobody else's to write. Returns an exit code. */
int wd_source_check(const char *path);

/* From now on the service reads the policy that `apply` left the name of. */
void wd_source_take(const char *dir);

/* The service lives with the policy that it reads. */
void wd_source_prove(void);

/* From now on it reads the one that it lived with last. False when that is the one it reads. */
bool wd_source_back(void);

/* Leaves the name of the policy that services are to read. Returns an exit code. */
int wd_source_name(const char *dir, const char *source);

/* Has a monitor, if one runs, start the services again with it. Returns an exit code. */
int wd_source_tell(const char *dir);

#endif /* WARDEN_SOURCE_H */
