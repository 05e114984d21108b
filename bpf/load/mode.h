/* SPDX-License-Identifier: Apache-2.0 */
/* Which mode to come up in. */
#ifndef WARDEN_MODE_H
#define WARDEN_MODE_H

#include <linux/types.h>

/*
 * `asked` is an enum wd_mode, or 0 for the best one that this kernel can: lsm where a program on
 * lsm/bpf was seen to run and every other hook of the guard is there, else fmod_ret where the same
 * holds of security_bpf, else audit, each with a line that says why. Never signal, which kills.
 * Returns an exit code; EX_CONFIG when what was asked for is not possible.
 */
int wd_mode_choose(__u32 asked, __u32 *ret_mode);

#endif /* WARDEN_MODE_H */
