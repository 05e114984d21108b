/* SPDX-License-Identifier: Apache-2.0 */
/* Whether maps that are there can be gone on with, by their sizes and the types in their BTF. */
#ifndef WARDEN_LAYOUT_H
#define WARDEN_LAYOUT_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>

#define WD_LAYOUT_TEXT 256

/*
 * Compares the map behind `fd` with the one that a build would make, and says the first difference
 * in `ret_text`. A ring may have any size. True when there is none.
 */
bool wd_layout_fits(const struct bpf_object *object, const struct bpf_map *built, int fd,
		    bool is_ring, char ret_text[WD_LAYOUT_TEXT]);

#endif /* WARDEN_LAYOUT_H */
