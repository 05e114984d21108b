/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WARDEN_HELP_H
#define WARDEN_HELP_H

extern const char WD_HELP[];

#endif /* WARDEN_HELP_H */
