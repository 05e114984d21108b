/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that this binary carries, behind what their skeletons have in common. */
#ifndef WARDEN_IMAGE_H
#define WARDEN_IMAGE_H

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stddef.h>

struct wd_image {
	void *typed;	       /* libbpf's struct of this one object: only to be freed */
	struct bpf_object_skeleton *skeleton;
	struct bpf_object *object;
};

/* The object as clang made it. */
const void *wd_image_bytes(__u32 mode, size_t *ret_len);

/* Opens the object of `mode`, to run as `generation`. Returns 0 or -errno. */
int wd_image_open(__u32 mode, __u32 generation, struct wd_image *ret_image);

void wd_image_close(struct wd_image *image);

#endif /* WARDEN_IMAGE_H */
