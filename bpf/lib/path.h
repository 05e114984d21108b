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

/* Where names are written: `at` to `end` of `tail`, which has WD_ONE_NAME bytes to spare. */
struct wd_names {
	char *tail;
	__u32 at;
	__u32 end;
	bool truncated;
};

struct wd_dentry_walk {
	struct wd_names names;
	struct dentry *dentry;
	struct mount *mount;
	__u32 components;
	bool done;
};

struct wd_kernfs_walk {
	struct wd_names names;
	struct kernfs_node *node;
	bool done;
};

static __always_inline bool wd_put_name(struct wd_names *names, const void *name)
{
	__u32 at = names->at;
	long len;

	if (at >= sizeof(((struct wd_open *)0)->tail) - WD_ONE_NAME)
		return false;
	len = bpf_probe_read_kernel_str(names->tail + at, WD_ONE_NAME, name);
	if (len <= 0)
		wd_count_error(WD_ERR_READ_KERNEL);
	if (len <= 0 || at + len > names->end)
		return false;
	names->at = at + len;
	return true;
}

static __always_inline struct mount *wd_mount_of(struct vfsmount *mnt)
{
	return (void *)mnt - bpf_core_field_offset(struct mount, mnt);
}

/* One step towards the root: over a mount point, or up one directory. 1 ends the walk. */
static long wd_dentry_step(__u32 i, void *context)
{
	struct wd_dentry_walk *walk = context;
	struct dentry *dentry = walk->dentry, *parent;
	struct mount *mount = walk->mount, *above;

	if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
		above = BPF_CORE_READ(mount, mnt_parent);
		if (above == mount || !above) {
			walk->done = true;
			return 1;
		}
		walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		walk->mount = above;
		return 0;
	}
	if (walk->components++ == WD_PATH_DEPTH ||
	    !wd_put_name(&walk->names, BPF_CORE_READ(dentry, d_name.name)))
		return 1;
	parent = BPF_CORE_READ(dentry, d_parent);
	walk->dentry = parent;
	walk->done = parent == dentry || !parent;
	return walk->done;
}

/* Writes the path of `file`; returns its length in bytes. */
static __always_inline __u32 wd_put_file_path(struct wd_names *names, struct file *file)
{
	struct wd_dentry_walk walk = { .names = *names };

	walk.dentry = BPF_CORE_READ(file, f_path.dentry);
	walk.mount = wd_mount_of(BPF_CORE_READ(file, f_path.mnt));
	bpf_loop(WD_PATH_DEPTH + WD_MOUNT_DEPTH + 1, wd_dentry_step, &walk, 0);
	names->truncated = !walk.done;
	return walk.names.at - names->at;
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
	struct wd_kernfs_walk *walk = context;
	struct kernfs_node *node = walk->node;
	struct kernfs_node *parent = wd_kernfs_parent(node);

	if (!parent) {
		walk->done = true;
		return 1;
	}
	if (!wd_put_name(&walk->names, BPF_CORE_READ(node, name)))
		return 1;
	walk->node = parent;
	return 0;
}

/* Writes the path of a cgroup; returns its length, 0 for the root. */
static __always_inline __u32 wd_put_cgroup(struct wd_names *names, struct kernfs_node *node)
{
	struct wd_kernfs_walk walk = { .names = *names, .node = node };

	bpf_loop(WD_CGROUP_DEPTH + 1, wd_kernfs_step, &walk, 0);
	names->truncated = !walk.done;
	return walk.names.at - names->at;
}

#endif /* WARDEN_PATH_H */
