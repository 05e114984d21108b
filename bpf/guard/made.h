/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Who made a program or map, by its address: ids are gone when it is freed, addresses are not. Kept
 * until the hook that says the kernel frees it.
 */
#ifndef WARDEN_MADE_H
#define WARDEN_MADE_H

#include "common.h"

static __always_inline struct wd_made *made_of(__u64 address)
{
	return bpf_map_lookup_elem(&objects, &address);
}

/* The loader that owns what is made in an act: an agent. A tool makes it for whoever runs it. */
static __always_inline __u32 owner_of(const struct wd_act *act)
{
	return act->flags & WD_ACT_AGENT ? act->loader : 0;
}

/*
 * Fail closed: what nobody remembers belongs to nobody, and so is foreign to all. `act` is NULL for
 * what our own programs make.
 */
static __noinline int remember(__u64 address, __u32 kind, const struct wd_act *act, __u32 id,
			       __u32 scan)
{
	struct wd_made made = { .kind = kind, .id = id, .scan = scan };

	made.boot_ns = bpf_ktime_get_boot_ns();
	if (act) {
		made.subject = act->subject;
		made.loader = owner_of(act);
	}
	if (!bpf_map_update_elem(&objects, &address, &made, BPF_ANY))
		return 0;
	wd_count_error(WD_ERR_OBJECTS_FULL);
	return -ENOMEM;
}

/* An agent owns what it made under any user; what no agent made, its subject does. */
static __always_inline bool same_maker(const struct wd_made *made, __u32 owner,
				       const struct wd_subject *subject)
{
	if (!made || made->subject.kind == 0)
		return false;
	if (made->loader || owner)
		return made->loader == owner;
	return made->subject.kind == subject->kind && made->subject.id == subject->id;
}

static __always_inline bool is_foreign(__u64 address, const struct wd_act *act)
{
	return !same_maker(made_of(address), owner_of(act), &act->subject);
}

#endif /* WARDEN_MADE_H */
