/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Data-plane commands are counted by key. The first use of a key is sent as a record as well. When
 * the table is full, a bucket per subject and command takes the rest; when that fails too, a record
 * counts as lost.
 */
#ifndef WARDEN_COUNTER_H
#define WARDEN_COUNTER_H

#include "maps.h"

#define WD_COUNTED_FLAGS (WD_ACT_AUID_COUNTS | WD_ACT_AUID_CLAIMED | WD_ACT_COMPAT)

enum wd_counted {
	WD_COUNTED,	       /* one more of a known key */
	WD_COUNTED_FIRST,      /* a new key */
	WD_COUNTED_NOT,
};

static __always_inline void wd_counter_key(const struct wd_act *act, struct wd_counter_key *ret_key)
{
	ret_key->subject = act->subject;
	ret_key->exe = act->exe;
	ret_key->map_id = act->object.kind == WD_OBJECT_MAP ? act->object.id : 0;
	ret_key->command = act->command;
	ret_key->result_class = act->result < 0 ? (__s32)act->result : 0;
	ret_key->flags = act->flags & WD_COUNTED_FLAGS;
	if (act->decision != WD_ALLOW)
		ret_key->flags |= WD_ACT_REFUSED;
}

static __always_inline enum wd_counted wd_count_known(const struct wd_counter_key *key, __u64 now)
{
	struct wd_counter *counter = bpf_map_lookup_elem(&counters, key);

	if (!counter)
		return WD_COUNTED_NOT;
	wd_add(&counter->calls, 1);
	counter->last_boot_ns = now;
	return WD_COUNTED;
}

/* `made` counts the keys of this kind; beyond `limit` none is made. */
static __always_inline enum wd_counted wd_count_new(const struct wd_counter_key *key,
						    const struct wd_act *act, __u64 *made,
						    __u64 limit)
{
	struct wd_counter fresh = {
		.calls = 1,
		.last_boot_ns = act->head.boot_ns,
		.pid = bpf_get_current_pid_tgid() >> 32,
		.uid = act->uid,
		.auid = act->auid,
		.loader = act->loader,
	};
	long err;

	if (*made >= limit)
		return WD_COUNTED_NOT;
	bpf_get_current_comm(fresh.comm, sizeof(fresh.comm));
	err = bpf_map_update_elem(&counters, key, &fresh, BPF_NOEXIST);
	if (err == -EEXIST)
		return wd_count_known(key, act->head.boot_ns);
	if (err)
		return WD_COUNTED_NOT;
	wd_add(made, 1);
	return WD_COUNTED_FIRST;
}

static __always_inline enum wd_counted wd_count(struct wd_act *act)
{
	struct wd_state *own_state = wd_state();
	struct wd_counter_key key = {};
	enum wd_counted how;

	if (!own_state)
		return WD_COUNTED_NOT;
	wd_counter_key(act, &key);
	how = wd_count_known(&key, act->head.boot_ns);
	if (how == WD_COUNTED_NOT)
		how = wd_count_new(&key, act, &own_state->counters, WD_MAX_COUNTERS);
	if (how != WD_COUNTED_NOT)
		return how;
	wd_count_error(WD_ERR_COUNTER_FULL);
	act->flags |= WD_ACT_COUNTER_FULL;
	key.flags |= WD_ACT_COUNTER_FULL;
	key.map_id = 0;
	__builtin_memset(&key.exe, 0, sizeof(key.exe));
	how = wd_count_known(&key, act->head.boot_ns);
	if (how == WD_COUNTED_NOT)
		how = wd_count_new(&key, act, &own_state->buckets, WD_MAX_BUCKETS);
	return how;
}

#endif /* WARDEN_COUNTER_H */
