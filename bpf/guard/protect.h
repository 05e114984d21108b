/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the guard is made of, and what keeps it there: our programs, maps and links by their numbers
 * (the own map), the functions that our programs are on (the hooked map), our bpffs and the mounts
 * that it hangs on. Whoever is none of ours and would reach any of it is refused where the policy
 * enforces anything at all, and recorded where it only observes.
 */
#ifndef WARDEN_PROTECT_H
#define WARDEN_PROTECT_H

#include "refuse.h"

static __always_inline __u32 protection(const struct wd_config *cfg, __u32 half)
{
	return cfg->policy[wd_bounded(half, WD_POLICY_HALVES)].protect;
}

/* True when what is ours is refused to others by the policy in force. */
static __always_inline bool protects(const struct wd_config *cfg)
{
	return protection(cfg, cfg->half) == WD_PROTECT_ENFORCE;
}

static __always_inline bool is_protected(const struct wd_config *cfg, __u32 kind, __u32 id)
{
	return protects(cfg) && wd_is_ours(kind, id);
}

/* The act in `open` would reach us. Nobody's tier or grant allows that, nor does break-glass. */
static __noinline int judge_tampering(struct wd_config *cfg, struct wd_open *open)
{
	struct wd_verdict verdict = { .decision = WD_WOULD_DENY, .rule = WD_RULE_PROTECTED };

	switch (protection(cfg, open->half)) {
	case WD_PROTECT_OFF:
		return 0;
	case WD_PROTECT_ENFORCE:
		verdict.decision = WD_DENY;
	}
	wd_decide_act(open, verdict);
	return 0;
}

/*
 * True for a program that is to be on a function that ours is on: it could answer before ours, and
 * there is room for some forty on each, which an upgrade of ours needs. `may_share`: an LSM program
 * of a known loader, whose grant has that type (systemd's for RestrictFileSystems= is on
 * file_open): it may be where whatever it answers is no permission.
 */
static __always_inline bool is_on_our_hook(struct bpf_prog_aux *aux, __u32 attach_btf_id,
					   bool may_share)
{
	__u32 *kind;

	if (!attach_btf_id || (__u64)BPF_CORE_READ(aux, attach_btf) != kernel_btf)
		return false;
	kind = bpf_map_lookup_elem(&hooked, &attach_btf_id);
	return kind && !(may_share && *kind == WD_HOOKED_SHARED);
}

#define MOUNT_DEPTH 32

struct mount_walk {
	__u64 at;	       /* struct mount: ours, or one that it hangs on */
	__u64 sought;
	__u64 root, mountpoint;
	__u32 peers;
	bool found;
};

/*
 * Its own address tells a mount of this namespace. One in another namespace takes ours with it when
 * the two are peers: then it has the same root on the same mount point, below a peer of what ours
 * is below.
 */
static long mount_step(__u32 i, void *context)
{
	struct mount_walk *walk = context;
	struct mount *at = (void *)walk->at, *above = BPF_CORE_READ(at, mnt_parent);

	walk->found = walk->at == walk->sought ||
		      (walk->peers && (__u32)BPF_CORE_READ(above, mnt_group_id) == walk->peers &&
		       (__u64)BPF_CORE_READ(at, mnt.mnt_root) == walk->root &&
		       (__u64)BPF_CORE_READ(at, mnt_mountpoint) == walk->mountpoint);
	if (walk->found || !above || above == at)
		return 1;
	walk->at = (__u64)above;
	return 0;
}

/*
 * True when our pins go with the mount: it is ours, or ours hangs on it as things are now. A mount
 * can be moved, so that the way up is walked each time.
 */
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

struct point_walk {
	__u64 at;	       /* as in mount_walk */
	__u64 sought;	       /* struct dentry */
	bool found;
};

static long point_step(__u32 i, void *context)
{
	struct point_walk *walk = context;
	struct mount *at = (void *)walk->at, *above = BPF_CORE_READ(at, mnt_parent);

	if (!above || above == at)
		return 1;
	walk->found = (__u64)BPF_CORE_READ(at, mnt_mountpoint) == walk->sought;
	walk->at = (__u64)above;
	return wd_ends(walk->found);
}

/*
 * True when our pins go with the directory: with one that is removed go the mounts on it, those of
 * other namespaces too, and nobody is asked about these.
 */
static __noinline int is_point_of_own_bpffs(struct dentry *dentry)
{
	struct wd_state *own_state = wd_state();
	struct point_walk walk = { .sought = (__u64)dentry };

	if (!own_state || !own_state->own_mount)
		return 0;
	walk.at = own_state->own_mount;
	bpf_loop(MOUNT_DEPTH, point_step, &walk, 0);
	return walk.found;
}

#endif /* WARDEN_PROTECT_H */
