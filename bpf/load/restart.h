/* SPDX-License-Identifier: Apache-2.0 */
/* How often a service that dies is started again, and after which pause. */
#ifndef WARDEN_RESTART_H
#define WARDEN_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#define WD_RESTARTS_MAX 10

struct wd_restarts {
	int64_t at[WD_RESTARTS_MAX]; /* CLOCK_BOOTTIME in ms, in a ring */
	unsigned int count;
	int64_t backoff_ms;    /* before the next */
};

/* False when it died ten times within a minute. Doubles the pause until a minute went well. */
bool wd_may_restart(struct wd_restarts *restarts, int64_t started_ms);

#endif /* WARDEN_RESTART_H */
