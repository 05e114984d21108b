/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Paths, walked by hand: a tracepoint may not call bpf_d_path. A path is a run of NUL-terminated
 * names from the leaf to the root, so that what a limit cuts off is the part near the root.
 */
#ifndef WARDEN_PATH_H
#define WARDEN_PATH_H

#include "kernel.h"
#include "maps.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define WD_ONE_NAME 256	       /* NAME_MAX and a NUL */
#define WD_MOUNT_DEPTH 12      /* mount points crossed on the way to the root */

/*
 * A walk is kept in the open call and not on the stack: what the verifier knows nothing about it
 * follows for one step, and not for each of the steps that there can be.
 */
static __always_inline void wd_begin_walk(struct wd_open *open, const void *node, __u32 at,
					  __u32 room)
{
	open->walk.node = (__u64)node;
	open->walk.mount = 0;
	open->walk.at = at;
	open->walk.end = at + room;
	open->walk.components = 0;
	open->walk.done = 0;
}

static __always_inline bool wd_put_name(struct wd_open *open, const void *name)
{
	__u64 at = open->walk.at;
	long len;

	asm volatile("" : "+r"(at));
	if (at >= WD_PATH_MAX + WD_CGROUP_MAX)
		return false;
	len = bpf_probe_read_kernel_str(open->tail + at, WD_ONE_NAME, name);
	if (len <= 0)
		wd_count_error(WD_ERR_READ_KERNEL);
	if (len <= 0 || at + len > open->walk.end)
		return false;
	open->walk.at = at + len;
	return true;
}

static __always_inline struct mount *wd_mount_of(struct vfsmount *mnt)
{
	return (void *)mnt - bpf_core_field_offset(struct mount, mnt);
}

/* One step towards the root: over a mount point, or up one directory. 1 ends the walk. */
static long wd_dentry_step(__u32 i, void *context)
{
	struct wd_open *open = *(struct wd_open **)context;
	struct dentry *dentry = (void *)open->walk.node, *parent;
	struct mount *mount = (void *)open->walk.mount, *above;

	if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
		above = BPF_CORE_READ(mount, mnt_parent);
		if (above == mount || !above) {
			open->walk.done = 1;
			return 1;
		}
		open->walk.node = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
		open->walk.mount = (__u64)above;
		return 0;
	}
	if (open->walk.components++ == WD_PATH_DEPTH ||
	    !wd_put_name(open, BPF_CORE_READ(dentry, d_name.name)))
		return 1;
	parent = BPF_CORE_READ(dentry, d_parent);
	open->walk.node = (__u64)parent;
	if (parent != dentry && parent)
		return 0;
	open->walk.done = 1;
	return 1;
}

/* Writes the path of `file` at the tail's beginning; returns its length in bytes. */
static __always_inline __u32 wd_put_file_path(struct wd_open *open, struct file *file)
{
	wd_begin_walk(open, BPF_CORE_READ(file, f_path.dentry), 0, WD_PATH_MAX);
	open->walk.mount = (__u64)wd_mount_of(BPF_CORE_READ(file, f_path.mnt));
	bpf_loop(WD_PATH_DEPTH + WD_MOUNT_DEPTH + 1, wd_dentry_step, &open, 0);
	return open->walk.at;
}

/* The field was renamed in 6.15. */
static __always_inline struct kernfs_node *wd_kernfs_parent(struct kernfs_node *node)
{
	struct kernfs_node___614 *old = (void *)node;

	if (bpf_core_field_exists(node->__parent))
		return BPF_CORE_READ(node, __parent);
	return BPF_CORE_READ(old, parent);
}

static long wd_kernfs_step(__u32 i, void *context)
{
	struct wd_open *open = *(struct wd_open **)context;
	struct kernfs_node *node = (void *)open->walk.node;
	struct kernfs_node *parent = wd_kernfs_parent(node);

	if (!parent || !wd_put_name(open, BPF_CORE_READ(node, name)))
		return 1;
	open->walk.node = (__u64)parent;
	return 0;
}

/* Writes the path of a cgroup from `at` on; returns its length, 0 for the root. */
static __always_inline __u32 wd_put_cgroup(struct wd_open *open, struct kernfs_node *node,
					   __u32 at)
{
	wd_begin_walk(open, node, at, WD_CGROUP_MAX);
	bpf_loop(WD_CGROUP_DEPTH + 1, wd_kernfs_step, &open, 0);
	return open->walk.at - at;
}

#endif /* WARDEN_PATH_H */
