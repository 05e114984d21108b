/* SPDX-License-Identifier: Apache-2.0 */
/* What of its caller's environment a service sees. */
#ifndef WARDEN_ENVIRONMENT_H
#define WARDEN_ENVIRONMENT_H

#include <stdbool.h>

/*
 * Leaves what is on a fixed list, and a PATH of its own. Of what Node takes nothing is left but
 * where it keeps compiled code, and not that either when `sealed`.
 */
void wd_environment_clear(bool sealed);

#endif /* WARDEN_ENVIRONMENT_H */
