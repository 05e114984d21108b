/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Whose an object is, and what follows: a directory at the top of a bpffs is a domain where the
 * policy says what it is for, the objects of an adopted loader are out of reach for all others, and
 * else a grant says whether foreign objects may be used. Decided when an fd is issued, by object:
 * where an object was pinned first is remembered with its maker.
 */
#ifndef WARDEN_DOMAIN_H
#define WARDEN_DOMAIN_H

#include "made.h"
#include "protect.h"

#define MODE_READ 1	       /* FMODE_READ */
#define MODE_WRITE 2	       /* FMODE_WRITE */
#define DOMAIN_DEPTH 16

struct domain_walk {
	__u64 at;	       /* struct dentry */
	bool done;
};

/* Up to the directory at the top: the one whose parent is the root. */
static long domain_step(__u32 i, void *context)
{
	struct domain_walk *walk = context;
	struct dentry *at = (void *)walk->at, *up = BPF_CORE_READ(at, d_parent);

	walk->done = up == at || BPF_CORE_READ(up, d_parent) == up;
	if (!walk->done)
		walk->at = (__u64)up;
	return wd_ends(walk->done);
}

/* The number of the domain that the directory `dir` of a bpffs is in; 0: none that has one. */
static __noinline __u32 domain_at(struct dentry *dir)
{
	struct wd_place_key key = {};
	struct domain_walk walk = { .at = (__u64)dir };
	struct dentry *top;
	__u32 *number;

	bpf_loop(DOMAIN_DEPTH, domain_step, &walk, 0);
	top = (void *)walk.at;
	key.device = BPF_CORE_READ(dir, d_inode, i_sb, s_dev);
	if (BPF_CORE_READ(top, d_parent) != top)
		bpf_probe_read_kernel_str(key.name, sizeof(key.name),
					  BPF_CORE_READ(top, d_name.name));
	number = bpf_map_lookup_elem(&places, &key);
	if (!number) {
		__builtin_memset(key.name, 0, sizeof(key.name));
		number = bpf_map_lookup_elem(&places, &key);
	}
	return number ? *number : 0;
}

static __always_inline struct wd_domain *domain_of(const struct wd_config *cfg, __u32 half,
						   __u32 number)
{
	struct wd_domain_key key = { .half = half, .number = number };
	__u64 in_force = wd_bounded(half, WD_POLICY_HALVES);

	if (!number || cfg->policy[in_force].domains == 0)
		return NULL;
	return bpf_map_lookup_elem(&domains, &key);
}

/* Without a branch in the loop: the verifier would walk each of 65,536 ways through it. */
static __always_inline bool is_listed(const __u32 *loaders, int room, __u32 loader)
{
	__u64 found = 0;

	for (int i = 0; i < room; i++)
		found |= ((__u64)(loaders[i] ^ loader) - 1) >> 63;
	return loader && found;
}

/* A name that ends in `*` stands for all that begin like it. */
static __always_inline bool matches(const char *pattern, const char *name)
{
	for (int i = 0; i < WD_NAME_LEN; i++) {
		if (pattern[i] == '*')
			return true;
		if (pattern[i] != name[i])
			return false;
		if (!pattern[i])
			break;
	}
	return true;
}

struct pattern_walk {
	struct wd_domain *domain;
	char name[WD_NAME_LEN];
	bool found;
};

static long pattern_step(__u32 i, void *context)
{
	struct pattern_walk *walk = context;
	char pattern[WD_NAME_LEN];

	__builtin_memcpy(pattern, walk->domain->maps[wd_bounded(i, WD_DOMAIN_PATTERNS)],
			 sizeof(pattern));
	if (!pattern[0])
		return 1;
	walk->found = matches(pattern, walk->name);
	return wd_ends(walk->found);
}

static __noinline int is_exposed(struct wd_domain *domain, struct bpf_map *map)
{
	struct pattern_walk walk = { .domain = domain };

	BPF_CORE_READ_INTO(&walk.name, map, name);
	bpf_loop(WD_DOMAIN_PATTERNS, pattern_step, &walk, 0);
	return walk.found;
}

static __always_inline void decide_domain(struct wd_open *open, const struct wd_domain *domain)
{
	struct wd_verdict verdict = {
		.decision = domain->enforce ? WD_DENY : WD_WOULD_DENY,
		.rule = WD_RULE_BPFFS,
	};

	wd_decide_act(open, verdict);
}

/* True when nothing further is to be asked: the policy says who may open what was pinned here. */
static __noinline int judge_domain(struct wd_config *cfg, struct wd_open *open, __u64 address,
				   __u32 fmode)
{
	struct wd_made *made = made_of(address);
	struct wd_domain *domain;

	if (!made)
		return 0;
	domain = domain_of(cfg, open->half, made->domain);
	if (!domain || is_listed(domain->owners, WD_DOMAIN_LOADERS, open->act.loader))
		return 0;
	if (made->kind == WD_OBJECT_MAP && (domain->write || !(fmode & MODE_WRITE)) &&
	    is_listed(domain->readers, WD_DOMAIN_LOADERS, open->act.loader) &&
	    is_exposed(domain, (void *)address))
		return 1;
	decide_domain(open, domain);
	return 1;
}

/* True when the object belongs to a loader that the policy adopts, and the act is another's. */
static __always_inline bool is_adopted(const struct wd_config *cfg, const struct wd_open *open,
				       __u64 address)
{
	__u64 half = wd_bounded(open->half, WD_POLICY_HALVES);
	struct wd_made *made = made_of(address);

	return made && made->loader && made->loader != open->act.loader &&
	       is_listed(cfg->policy[half].adopted, WD_MAX_ADOPTED, made->loader);
}

/* An object of somebody whom the policy protects like us: by its id it is not there. */
static __noinline int judge_adopted(struct wd_config *cfg, struct wd_open *open)
{
	switch (open->act.command) {
	case BPF_PROG_GET_FD_BY_ID:
	case BPF_MAP_GET_FD_BY_ID:
	case BPF_LINK_GET_FD_BY_ID:
		if (!protects(cfg) || open->act.decision == WD_DENY)
			return 0;
		open->act.decision = WD_DENY;
		open->act.rule = WD_RULE_HIDDEN;
		return 0;
	default:
		return judge_tampering(cfg, open);
	}
}

/* May the act have the object at `address`, which is a program's aux, a map or a link? */
static __noinline int judge_maker(struct wd_config *cfg, struct wd_open *open, __u64 address,
				  __u32 fmode)
{
	struct wd_matter m = { .judged = WD_JUDGE(WD_DIM_OBJECT) };

	if (judge_domain(cfg, open, address, fmode))
		return 0;
	if (is_adopted(cfg, open, address))
		return judge_adopted(cfg, open);
	m.foreign = is_foreign(address, &open->act);
	wd_decide_act(open, wd_verdict(cfg, open->half, open->act.tier, open->grant, &m));
	return 0;
}

/* What a directory is for: who may pin there, and what a program pinned there may call. */
static __noinline int judge_new_pin(struct wd_config *cfg, struct wd_open *open,
				    struct dentry *dir, __u32 kind)
{
	__u32 number = domain_at(dir);
	struct wd_domain *domain = domain_of(cfg, open->half, number);
	__u64 address = open->pinning;
	struct wd_made *made;

	if (!domain)
		return 0;
	if (kind == WD_OBJECT_PROG)
		address = (__u64)BPF_CORE_READ((struct bpf_prog *)address, aux);
	made = made_of(address);
	if (!made || !is_listed(domain->owners, WD_DOMAIN_LOADERS, open->act.loader) ||
	    (kind == WD_OBJECT_PROG &&
	     wd_exceeds(domain->helpers, made->helpers, WD_HELPER_WORDS)))
		decide_domain(open, domain);
	if (made && !made->domain && open->act.decision != WD_DENY)
		made->domain = number;
	return 0;
}

/* A pin can't leave its directory for one that is for somebody else. */
static __noinline int judge_crossing(struct wd_config *cfg, struct wd_open *open,
				     struct dentry *from, struct dentry *to)
{
	__u32 left = domain_at(from), entered = domain_at(to);
	struct wd_domain *domain = domain_of(cfg, open->half, left ? left : entered);

	if (left != entered && domain)
		decide_domain(open, domain);
	return 0;
}

#endif /* WARDEN_DOMAIN_H */
