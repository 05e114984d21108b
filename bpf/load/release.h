/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A release: a directory with all that the services are, and APP/SHA256SUMS, which lists each file
 * as sha256sum(1) does. The digest of that list is the release's.
 */
#ifndef WARDEN_RELEASE_H
#define WARDEN_RELEASE_H

#include "sha256.h"

#include <stdbool.h>

#define WD_RELEASE_NODE "node"
#define WD_RELEASE_MAIN "cli/main.mjs"
#define WD_RELEASE_AGENT "cli/service.mjs"

/* Checks every file of the list, and says what is wrong. Returns an exit code. */
int wd_release_digest(const char *app, uint8_t ret_digest[WD_SHA256_LEN]);

/*
 * Copies the release that has this digest, and nothing else, into an empty directory: what is run
 * is what was checked, whatever becomes of the files. Returns an exit code.
 */
int wd_release_copy(const char *app, const uint8_t digest[WD_SHA256_LEN], const char *into);

/* True for the command lines by which a sealed guard starts services, with its copy in `app`. */
bool wd_release_starts(char *const *command, const char *app);

#endif /* WARDEN_RELEASE_H */
