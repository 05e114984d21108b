/* SPDX-License-Identifier: Apache-2.0 */
/* Which file is warden-load, as the guard knows it: one at a time. */
#ifndef WARDEN_HANDOVER_H
#define WARDEN_HANDOVER_H

#include "options.h"
#include "set.h"

/*
 * Makes another file the one whose runs by root are ours: a later build, or this one's copy on the
 * real root of a host that booted with an initramfs. Returns an exit code.
 */
int wd_hand_over(const struct wd_options *options, const struct wd_set *set);

#endif /* WARDEN_HANDOVER_H */
