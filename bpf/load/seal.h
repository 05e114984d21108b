/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sealed guard: what would switch it off, replace it, change its policy or raise anybody needs a
 * token that an operator of the policy in force signed. Kept in the config map, which the guard
 * protects; it lasts until an `unseal`, an unload or a reboot.
 */
#ifndef WARDEN_SEAL_H
#define WARDEN_SEAL_H

#include "options.h"
#include "service.h"
#include "set.h"
#include "token.h"

/* Seals, with the release in --app as the one that services run from. Returns an exit code. */
int wd_seal(const struct wd_options *options, const struct wd_set *set);

int wd_unseal(const struct wd_options *options, const struct wd_set *set);

bool wd_is_sealed(const struct wd_set *set);

/*
 * EX_OK when nothing is sealed, or the token of --token is for this action on what has this SHA-256
 * (NULL: on nothing in particular), and is used up by it.
 */
int wd_seal_allows(const struct wd_options *options, const struct wd_set *set,
		   enum wd_action action, const __u8 *digest);

/* The same, for what a file holds. */
int wd_seal_allows_file(const struct wd_options *options, const struct wd_set *set,
			enum wd_action action, const char *path);

/* The same, for what raises. */
int wd_seal_allows_raise(const struct wd_options *options, const struct wd_set *set);

/* Before the guard in force is replaced by the one of this very file. */
int wd_seal_allows_upgrade(const struct wd_options *options, const struct wd_config *before);

/*
 * Before a service is started: sealed, from the release that was sealed alone. Sets what it is to
 * be copied by. Returns an exit code.
 */
int wd_seal_allows_service(const struct wd_set *set, struct wd_service *service,
			   __u8 ret_bundle[WD_DIGEST_LEN]);

/* Before an unload, which must do without pins that can't be opened. */
int wd_seal_allows_unload(const struct wd_options *options, enum wd_action action);

#endif /* WARDEN_SEAL_H */
