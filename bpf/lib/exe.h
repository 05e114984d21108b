/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* An executable: the inode that is its identity, and the kind of place it lives in. */
#ifndef WARDEN_EXE_H
#define WARDEN_EXE_H

#include "kernel.h"
#include "warden.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define WD_MAGIC_TMPFS 0x01021994
#define WD_MAGIC_RAMFS 0x858458f6
#define WD_MAGIC_HUGETLBFS 0x958458f6
#define WD_MAGIC_OVERLAYFS 0x794c7630

/* `file` must be a pointer that the verifier follows: a load costs a tenth of a helper call. */
static __always_inline void wd_exe_key(struct file *file, struct wd_exe_key *ret_key)
{
	struct inode *inode = file->f_inode;

	ret_key->inode = inode->i_ino;
	ret_key->device = inode->i_sb->s_dev;
	ret_key->generation = inode->i_generation;
}

/* The same for a pointer that was itself read from memory. */
static __always_inline void wd_exe_key_probed(struct file *file, struct wd_exe_key *ret_key)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	ret_key->inode = BPF_CORE_READ(inode, i_ino);
	ret_key->device = BPF_CORE_READ(inode, i_sb, s_dev);
	ret_key->generation = BPF_CORE_READ(inode, i_generation);
}

static __always_inline bool wd_same_exe(const struct wd_exe_key *a, const struct wd_exe_key *b)
{
	return a->inode == b->inode && a->device == b->device && a->generation == b->generation;
}

/* True for a file whose bytes lie in the writable layer of an overlay: not from the image. */
static __always_inline bool wd_in_upper_layer(struct inode *inode)
{
	struct ovl_inode *overlay;

	if (!bpf_core_field_exists(struct ovl_inode, __upperdentry))
		return false;
	overlay = (void *)inode - bpf_core_field_offset(struct ovl_inode, vfs_inode);
	return BPF_CORE_READ(overlay, __upperdentry) != NULL;
}

/* A memfd's dentry is its own parent and not the root of its mount. */
static __always_inline bool wd_is_memfd(struct file *file)
{
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);

	return BPF_CORE_READ(dentry, d_parent) == dentry &&
	       BPF_CORE_READ(file, f_path.mnt, mnt_root) != dentry;
}

static __always_inline __u32 wd_exe_flags(struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	unsigned long magic = BPF_CORE_READ(inode, i_sb, s_magic);
	__u32 flags = 0;

	if (magic == WD_MAGIC_TMPFS || magic == WD_MAGIC_RAMFS || magic == WD_MAGIC_HUGETLBFS)
		flags |= wd_is_memfd(file) ? WD_EXE_MEMFD : WD_EXE_TMPFS;
	if (!(flags & WD_EXE_MEMFD) && BPF_CORE_READ(inode, i_nlink) == 0)
		flags |= WD_EXE_DELETED;
	if (magic == WD_MAGIC_OVERLAYFS)
		flags |= wd_in_upper_layer(inode) ? WD_EXE_OVERLAY | WD_EXE_OVERLAY_UPPER :
						    WD_EXE_OVERLAY;
	return flags;
}

#endif /* WARDEN_EXE_H */
