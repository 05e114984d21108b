/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The mounts that our bpffs is and hangs on, and what lies over them. A mount can be moved, so that
 * the way from our pins up is walked each time.
 *
 *	lsm/sb_umount			ours, or one that it hangs on
 *	lsm/sb_mount, lsm/move_mount	over ours, or over a directory on the way to it
 *	lsm/move_mount			of ours away
 *	lsm/inode_rmdir, _rename	of a directory that ours is on (pins.h)
 *
 * Ours is the mount of the namespace in which warden-load made it, with those that hand on to it
 * what is done to them. What a container does in a namespace that hands nothing on is its own
 * affair. mount(2) names what it moves by a text, which no hook sees as a mount: the watchdog tells
 * when ours is elsewhere.
 */
#ifndef WARDEN_MOUNTS_H
#define WARDEN_MOUNTS_H

#include "outside.h"

#define MAGIC_BPFFS 0xcafe4a11
#define MOUNT_DEPTH 32
/* Directories from our pins to the root, mount points counted twice. */
#define WAY_DEPTH 64
#define INIT_PID 1

/* MS_REMOUNT, MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED: of a mount that is there. */
#define CHANGES_ONLY (1 << 5 | 1 << 17 | 1 << 18 | 1 << 19 | 1 << 20)

#define MASTERS_DEPTH 8

/*
 * True when what is done in a group of peers, `peers`, is done to `mount` as well: it is one of
 * them, or gets from them what they are given. Fails closed beyond the depth.
 */
static __always_inline bool gets_from(struct mount *mount, __u32 peers)
{
	if (!peers)
		return false;
	for (__u32 i = 0; mount && i < MASTERS_DEPTH; i++) {
		if ((__u32)BPF_CORE_READ(mount, mnt_group_id) == peers)
			return true;
		mount = BPF_CORE_READ(mount, mnt_master);
	}
	return mount != NULL;
}

struct mount_walk {
	__u64 at;	       /* struct mount: ours, or one that it hangs on */
	__u64 sought;
	__u64 root, mountpoint;
	__u32 peers;
	bool found;
};

/*
 * Its own address tells a mount of this namespace. One in another namespace takes ours with it when
 * it has the same root on the same mount point, below a peer or a master of what ours is below.
 */
static long mount_step(__u32 i, void *context)
{
	struct mount_walk *walk = context;
	struct mount *at = (void *)walk->at, *above = BPF_CORE_READ(at, mnt_parent);

	walk->found = walk->at == walk->sought ||
		      ((__u64)BPF_CORE_READ(at, mnt.mnt_root) == walk->root &&
		       (__u64)BPF_CORE_READ(at, mnt_mountpoint) == walk->mountpoint &&
		       gets_from(above, walk->peers));
	if (walk->found || !above || above == at)
		return 1;
	walk->at = (__u64)above;
	return 0;
}

/* True when our pins go with the mount: it is ours, or ours hangs on it as things are now. */
static __noinline int holds_own_bpffs(struct vfsmount *mnt)
{
	struct wd_state *own_state = wd_state();
	struct mount *sought = wd_mount_of(mnt);
	struct mount_walk walk = {};

	if (!own_state || !own_state->own_mount)
		return 0;
	walk.at = own_state->own_mount;
	walk.sought = (__u64)sought;
	walk.root = (__u64)BPF_CORE_READ(sought, mnt.mnt_root);
	walk.mountpoint = (__u64)BPF_CORE_READ(sought, mnt_mountpoint);
	walk.peers = BPF_CORE_READ(sought, mnt_parent, mnt_group_id);
	bpf_loop(MOUNT_DEPTH, mount_step, &walk, 0);
	return walk.found;
}

/* From our pins up, one directory at a time. */
struct way_walk {
	__u64 mount, dentry;
	__u64 sought;	       /* struct dentry */
	__u64 sought_mount;    /* 0: whatever mounts it is seen through */
	__u32 peers;
	bool found;
};

static __always_inline bool is_sought(const struct way_walk *walk)
{
	struct mount *mount = (void *)walk->mount;

	if (walk->dentry != walk->sought)
		return false;
	return !walk->sought_mount || walk->mount == walk->sought_mount ||
	       gets_from(mount, walk->peers);
}

static long way_step(__u32 i, void *context)
{
	struct way_walk *walk = context;
	struct mount *mount = (void *)walk->mount, *above;
	struct dentry *dentry = (void *)walk->dentry;

	walk->found = is_sought(walk);
	if (walk->found)
		return 1;
	if (dentry != BPF_CORE_READ(mount, mnt.mnt_root)) {
		walk->dentry = (__u64)BPF_CORE_READ(dentry, d_parent);
		return 0;
	}
	above = BPF_CORE_READ(mount, mnt_parent);
	if (!above || above == mount)
		return 1;
	walk->dentry = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
	walk->mount = (__u64)above;
	return 0;
}

static __always_inline bool is_on_the_way(struct way_walk *walk)
{
	struct wd_state *own_state = wd_state();
	struct mount *own;

	if (!own_state || !own_state->own_mount)
		return false;
	own = (void *)own_state->own_mount;
	walk->mount = (__u64)own;
	walk->dentry = (__u64)BPF_CORE_READ(own, mnt.mnt_root);
	bpf_loop(WAY_DEPTH, way_step, walk, 0);
	return walk->found;
}

/*
 * True when our pins go with the directory: with one that is removed go the mounts on it, those of
 * other namespaces too, and nobody is asked about these.
 */
static __noinline int leads_to_own_bpffs(struct dentry *dentry)
{
	struct way_walk walk = { .sought = (__u64)dentry };

	return is_on_the_way(&walk);
}

/* True when what is mounted on `path` would hide our pins, or a part of them. */
static __noinline int hides_own_bpffs(const struct path *path)
{
	struct mount *on = wd_mount_of(BPF_CORE_READ(path, mnt));
	struct wd_state *own_state = wd_state();
	struct mount *own = own_state ? (void *)own_state->own_mount : NULL;
	struct way_walk walk = {
		.sought = (__u64)BPF_CORE_READ(path, dentry),
		.sought_mount = (__u64)on,
		.peers = BPF_CORE_READ(on, mnt_group_id),
	};

	if (!own)
		return 0;
	if (on == own || gets_from(own, walk.peers))
		return 1;
	return is_on_the_way(&walk);
}

/* A directory goes: removed, replaced, or given another name. Fails closed. */
static __noinline int refused_point(struct dentry *dentry)
{
	struct wd_config *cfg = active_config();

	if (!cfg || !leads_to_own_bpffs(dentry))
		return 0;
	return tampers(cfg, WD_UMOUNT, WD_VIA_SYSCALL, BPF_CORE_READ(dentry, d_name.name));
}

/*
 * Something is to be mounted over our pins. Init may, over a whole mount: an initramfs hands over
 * to the real root by a mount over its own, with our pins below it.
 */
static __always_inline bool is_cover(const struct path *path)
{
	if (bpf_get_current_pid_tgid() >> 32 == INIT_PID &&
	    BPF_CORE_READ(path, dentry) == BPF_CORE_READ(path, mnt, mnt_root))
		return false;
	return hides_own_bpffs(path);
}

static __noinline int refused_mount(struct wd_config *cfg, const struct path *path)
{
	return tampers(cfg, WD_MOUNT, WD_VIA_SYSCALL, BPF_CORE_READ(path, dentry, d_name.name));
}

static __always_inline bool names_bpf(const char *type)
{
	char name[4] = {};

	return bpf_probe_read_kernel_str(name, sizeof(name), type) == sizeof(name) &&
	       name[0] == 'b' && name[1] == 'p' && name[2] == 'f';
}

/* A bpffs is mounted, or something over one. Recorded, never refused. */
static __noinline int mounted(struct wd_config *cfg, struct dentry *on)
{
	struct wd_open *open = begin_outside(cfg, WD_MOUNT, WD_VIA_SYSCALL);

	if (!open)
		return 0;
	*(const void **)open->attr = BPF_CORE_READ(on, d_name.name);
	end_outside(cfg, open);
	return 0;
}

/* Fails closed for what would be over ours; else it only observes. */
SEC("lsm/sb_mount")
int BPF_PROG(guard_mount, const char *source, const struct path *path, const char *type,
	     unsigned long flags)
{
	struct wd_config *cfg = active_config();

	if (!cfg)
		return 0;
	if (!(flags & CHANGES_ONLY) && is_cover(path))
		return refusal(refused_mount(cfg, path));
	if (names_bpf(type) || BPF_CORE_READ(path, mnt, mnt_sb, s_magic) == MAGIC_BPFFS)
		mounted(cfg, BPF_CORE_READ(path, dentry));
	return 0;
}

/* Fails closed. */
SEC("lsm/sb_umount")
int BPF_PROG(guard_umount, struct vfsmount *mnt)
{
	struct wd_config *cfg = active_config();
	struct dentry *on = BPF_CORE_READ(wd_mount_of(mnt), mnt_mountpoint);
	struct super_block *sb = BPF_CORE_READ(mnt, mnt_sb);
	struct wd_open *open;

	if (!cfg)
		return 0;
	if (holds_own_bpffs(mnt))
		return refusal(tampers(cfg, WD_UMOUNT, WD_VIA_SYSCALL,
				       BPF_CORE_READ(on, d_name.name)));
	if (BPF_CORE_READ(sb, s_magic) != MAGIC_BPFFS)
		return 0;
	open = begin_outside(cfg, WD_UMOUNT, WD_VIA_SYSCALL);
	if (!open)
		return 0;
	*(const void **)open->attr = BPF_CORE_READ(on, d_name.name);
	return refusal(end_outside(cfg, open));
}

/* Fails closed. */
SEC("lsm/move_mount")
int BPF_PROG(guard_move_mount, const struct path *from, const struct path *to)
{
	struct wd_config *cfg = active_config();

	if (!cfg)
		return 0;
	if (holds_own_bpffs(BPF_CORE_READ(from, mnt)))
		return refusal(refused_mount(cfg, from));
	return is_cover(to) ? refusal(refused_mount(cfg, to)) : 0;
}

#endif /* WARDEN_MOUNTS_H */
