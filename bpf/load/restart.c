/* SPDX-License-Identifier: Apache-2.0 */
#include "restart.h"

#include "raise.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 5000
#define WINDOW_MS 60000

bool wd_may_restart(struct wd_restarts *restarts, int64_t started_ms)
{
	int64_t now = wd_boot_ms(), *oldest = &restarts->at[restarts->count % WD_RESTARTS_MAX];

	if (restarts->count >= WD_RESTARTS_MAX && now - *oldest < WINDOW_MS)
		return false;
	*oldest = now;
	restarts->count++;
	if (restarts->backoff_ms == 0 || now - started_ms > WINDOW_MS)
		restarts->backoff_ms = BACKOFF_FIRST_MS;
	else if (restarts->backoff_ms * 2 <= BACKOFF_MAX_MS)
		restarts->backoff_ms *= 2;
	else
		restarts->backoff_ms = BACKOFF_MAX_MS;
	return true;
}
