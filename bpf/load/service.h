/* SPDX-License-Identifier: Apache-2.0 */
/* The service's side of `run`: from a fork of the monitor to COMMAND without any privilege. */
#ifndef WARDEN_SERVICE_H
#define WARDEN_SERVICE_H

#include "options.h"

#include <linux/types.h>
#include <sys/types.h>

struct wd_service {
	const char *dir;
	const char *app;
	const __u8 *bundle;    /* SHA-256 of the release that `app` is to hold; NULL: unsealed */
	char **command;
	uid_t uid;
	gid_t gid;
	pid_t monitor;
	int go;		       /* read end: one byte comes when the role is registered */
};

/* Never returns; exits with a code of sysexits.h when it can't execute. */
_Noreturn void wd_service_exec(const struct wd_service *service);

/*
 * Makes DIR, the state directory and where the programs of the services will lie, and locks DIR,
 * with the fd of the lock in `ret_lock`. Fills in all but what comes with a start. Returns an exit
 * code.
 */
int wd_service_prepare(const struct wd_options *options, struct wd_service *service, int *ret_lock);

/* A user of /etc/passwd who is not root. Returns an exit code. */
int wd_find_user(const char *name, uid_t *ret_uid, gid_t *ret_gid);

#endif /* WARDEN_SERVICE_H */
