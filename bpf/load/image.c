/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that sees the skeletons; each has a type of its own, so each has a function. */
#include "image.h"

#include "hooks.h"

#include "audit.skel.h"
#include "guard.skel.h"

#include <errno.h>
#include <stdlib.h>

static int open_audit(__u32 generation, struct wd_image *ret_image)
{
	struct audit_bpf *audit = audit_bpf__open();

	if (!audit)
		return -errno;
	audit->rodata->generation = generation;
	*ret_image = (struct wd_image){ audit, audit->skeleton, audit->obj };
	return 0;
}

static int open_guard(__u32 mode, __u32 generation, struct wd_image *ret_image)
{
	struct guard_bpf *guard = guard_bpf__open();

	if (!guard)
		return -errno;
	guard->rodata->generation = generation;
	guard->rodata->is_lsm = mode == WD_MODE_LSM;
	*ret_image = (struct wd_image){ guard, guard->skeleton, guard->obj };
	return 0;
}

const void *wd_image_bytes(__u32 mode, size_t *ret_len)
{
	return wd_mode_guards(mode) ? guard_bpf__elf_bytes(ret_len) :
				      audit_bpf__elf_bytes(ret_len);
}

int wd_image_open(__u32 mode, __u32 generation, struct wd_image *ret_image)
{
	return wd_mode_guards(mode) ? open_guard(mode, generation, ret_image) :
				      open_audit(generation, ret_image);
}

void wd_image_close(struct wd_image *image)
{
	if (image->skeleton)
		bpf_object__destroy_skeleton(image->skeleton);
	free(image->typed);
	*image = (struct wd_image){};
}
