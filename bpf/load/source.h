/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WARDEN_SOURCE_H
#define WARDEN_SOURCE_H

/* From now on the service reads the policy that `apply` left the name of. */
void wd_source_take(const char *dir);

/*
 * Names the policy that services read from now on, and has a monitor that runs start them again.
 * Returns an exit code.
 */
int wd_source_name(const char *dir, const char *source);

#endif /* WARDEN_SOURCE_H */
