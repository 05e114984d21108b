/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The attributes of a call. From user memory another thread can change them while the kernel looks
 * at its own copy, so all that comes from there is a claim; the guard has the copy (ACT_COPIED).
 */
#ifndef WARDEN_ATTR_H
#define WARDEN_ATTR_H

#include "decide.h"
#include "maps.h"
#include "syscall.h"

#define WD_NO_OFFSET 0xffffffffU

/* Field offsets of union bpf_attr: UAPI, the same on every kernel and in 32-bit tasks. */
#define WD_ATTR_TYPE 0
#define WD_ATTR_FIRST_FD 0
#define WD_ATTR_SECOND_FD 4
#define WD_ATTR_INSN_CNT 4
#define WD_ATTR_PROG_FLAGS 44
#define WD_ATTR_PROG_NAME 48
#define WD_ATTR_PROG_ATTACH 68
#define WD_ATTR_MAP_FLAGS 16
#define WD_ATTR_MAP_NAME 28
#define WD_ATTR_BATCH_FD 36
#define WD_ATTR_PIN_FD 8
#define WD_ATTR_PIN_FLAGS 12
#define WD_ATTR_ATTACH_TYPE 8
#define WD_ATTR_ATTACH_FLAGS 12
#define WD_ATTR_QUERY_ATTACH 4
#define WD_ATTR_STREAM_FD 16

/* Commands that the build machine's header may be too old to know. */
#define WD_TOKEN_CREATE 36
#define WD_PROG_STREAM_READ_BY_FD 37

static __always_inline __u32 wd_attr_u32(const struct wd_open *open, __u32 offset)
{
	return *(__u32 *)&open->attr[offset];
}

/* The page may be absent at the begin; the kernel has brought it in by the end of the call. */
static __always_inline void wd_read_attr(struct wd_open *open)
{
	__u32 len = open->act.attr_size;
	void *attr = (void *)open->attr_address;
	long err;

	if (len > sizeof(open->attr))
		len = sizeof(open->attr);
	__builtin_memset(open->attr, 0, sizeof(open->attr));
	if (open->act.flags & WD_ACT_NESTED)
		err = bpf_probe_read_kernel(open->attr, len, attr);
	else
		err = bpf_probe_read_user(open->attr, len, attr);
	if (err)
		open->act.flags |= WD_ACT_ATTR_UNREADABLE;
	else
		open->act.flags &= ~WD_ACT_ATTR_UNREADABLE;
}

/* The kernel's own copy, which nobody can change any more. `size` is what the kernel took of it. */
static __always_inline void wd_copy_attr(struct wd_open *open, const void *attr, __u32 size)
{
	if (size > sizeof(open->attr))
		size = sizeof(open->attr);
	__builtin_memset(open->attr, 0, sizeof(open->attr));
	if (bpf_probe_read_kernel(open->attr, size, attr))
		open->act.flags |= WD_ACT_ATTR_UNREADABLE;
	else
		open->act.flags |= WD_ACT_COPIED;
}

static __always_inline void wd_claim_prog(struct wd_open *open, struct wd_claim *claim)
{
	claim->type = wd_attr_u32(open, WD_ATTR_TYPE);
	claim->insn_cnt = wd_attr_u32(open, WD_ATTR_INSN_CNT);
	claim->flags = wd_attr_u32(open, WD_ATTR_PROG_FLAGS);
	claim->attach_type = wd_attr_u32(open, WD_ATTR_PROG_ATTACH);
	__builtin_memcpy(claim->name, &open->attr[WD_ATTR_PROG_NAME], WD_NAME_LEN);
}

static __always_inline void wd_claim_map(struct wd_open *open, struct wd_claim *claim)
{
	claim->type = wd_attr_u32(open, WD_ATTR_TYPE);
	claim->flags = wd_attr_u32(open, WD_ATTR_MAP_FLAGS);
	__builtin_memcpy(claim->name, &open->attr[WD_ATTR_MAP_NAME], WD_NAME_LEN);
}

static __always_inline void wd_claim_attach(struct wd_open *open, struct wd_claim *claim)
{
	claim->attach_type = wd_attr_u32(open, WD_ATTR_ATTACH_TYPE);
	claim->flags = wd_attr_u32(open, WD_ATTR_ATTACH_FLAGS);
}

static __always_inline void wd_fill_claim(struct wd_open *open)
{
	struct wd_claim *claim = &open->act.claim;

	claim->valid = !(open->act.flags & WD_ACT_ATTR_UNREADABLE);
	switch (open->act.command) {
	case BPF_PROG_LOAD:
		return wd_claim_prog(open, claim);
	case BPF_MAP_CREATE:
		return wd_claim_map(open, claim);
	case BPF_PROG_ATTACH:
	case BPF_PROG_DETACH:
	case BPF_LINK_CREATE:
		return wd_claim_attach(open, claim);
	case BPF_PROG_QUERY:
		claim->attach_type = wd_attr_u32(open, WD_ATTR_QUERY_ATTACH);
		return;
	case BPF_OBJ_PIN:
	case BPF_OBJ_GET:
		claim->flags = wd_attr_u32(open, WD_ATTR_PIN_FLAGS);
		return;
	case BPF_PROG_GET_NEXT_ID:
	case BPF_MAP_GET_NEXT_ID:
	case BPF_BTF_GET_NEXT_ID:
	case BPF_LINK_GET_NEXT_ID:
	case BPF_PROG_GET_FD_BY_ID:
	case BPF_MAP_GET_FD_BY_ID:
	case BPF_BTF_GET_FD_BY_ID:
	case BPF_LINK_GET_FD_BY_ID:
		claim->id = wd_attr_u32(open, 0);
		return;
	}
}

/*
 * 0 is an attach type (BPF_CGROUP_INET_INGRESS) and, for most program types, also what a load says
 * that means none.
 */
static __always_inline bool wd_load_has_attach_type(const struct wd_claim *claim)
{
	return claim->attach_type != 0 || claim->type == BPF_PROG_TYPE_CGROUP_SKB;
}

/* Which dimensions the attributes tell something about, as bits. */
static __always_inline __u32 wd_judged(const struct wd_open *open)
{
	const struct wd_claim *claim = &open->act.claim;

	if (!claim->valid)
		return WD_JUDGE(WD_DIM_COMMAND);
	switch (open->act.command) {
	case BPF_PROG_LOAD:
		if (wd_load_has_attach_type(claim))
			return WD_JUDGE(WD_DIM_COMMAND) | WD_JUDGE(WD_DIM_PROG_TYPE) |
			       WD_JUDGE(WD_DIM_ATTACH_TYPE);
		return WD_JUDGE(WD_DIM_COMMAND) | WD_JUDGE(WD_DIM_PROG_TYPE);
	case BPF_MAP_CREATE:
		return WD_JUDGE(WD_DIM_COMMAND) | WD_JUDGE(WD_DIM_MAP_TYPE);
	case BPF_PROG_ATTACH:
	case BPF_PROG_DETACH:
	case BPF_LINK_CREATE:
		return WD_JUDGE(WD_DIM_COMMAND) | WD_JUDGE(WD_DIM_ATTACH_TYPE);
	default:
		return WD_JUDGE(WD_DIM_COMMAND);
	}
}

static __always_inline bool wd_is_data_plane(__u32 command)
{
	return (command >= BPF_MAP_LOOKUP_ELEM && command <= BPF_MAP_GET_NEXT_KEY) ||
	       command == BPF_MAP_LOOKUP_AND_DELETE_ELEM ||
	       (command >= BPF_MAP_LOOKUP_BATCH && command <= BPF_MAP_DELETE_BATCH);
}

/* Writes, of those: they change what runs where the map holds programs, or makes a kernel's own. */
static __always_inline bool wd_writes_map(__u32 command)
{
	return command == BPF_MAP_UPDATE_ELEM || command == BPF_MAP_DELETE_ELEM ||
	       command == BPF_MAP_UPDATE_BATCH || command == BPF_MAP_DELETE_BATCH;
}

static __always_inline bool wd_returns_object(__u32 command)
{
	switch (command) {
	case BPF_MAP_CREATE:
	case BPF_PROG_LOAD:
	case BPF_OBJ_GET:
	case BPF_PROG_GET_FD_BY_ID:
	case BPF_MAP_GET_FD_BY_ID:
	case BPF_BTF_GET_FD_BY_ID:
	case BPF_LINK_GET_FD_BY_ID:
	case BPF_RAW_TRACEPOINT_OPEN:
	case BPF_BTF_LOAD:
	case BPF_LINK_CREATE:
		return true;
	default:
		return false;
	}
}

/* Where in the attributes the object's fd stands that the call works on; WD_NO_OFFSET: nowhere. */
static __always_inline __u32 wd_fd_offset(__u32 command)
{
	switch (command) {
	case BPF_MAP_LOOKUP_BATCH:
	case BPF_MAP_LOOKUP_AND_DELETE_BATCH:
	case BPF_MAP_UPDATE_BATCH:
	case BPF_MAP_DELETE_BATCH:
		return WD_ATTR_BATCH_FD;
	case BPF_OBJ_PIN:
	case BPF_RAW_TRACEPOINT_OPEN:
		return WD_ATTR_PIN_FD;
	case BPF_PROG_ATTACH:
	case BPF_PROG_DETACH:
		return WD_ATTR_SECOND_FD;
	case WD_PROG_STREAM_READ_BY_FD:
		return WD_ATTR_STREAM_FD;
	case BPF_MAP_LOOKUP_ELEM:
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_DELETE_ELEM:
	case BPF_MAP_GET_NEXT_KEY:
	case BPF_MAP_LOOKUP_AND_DELETE_ELEM:
	case BPF_PROG_TEST_RUN:
	case BPF_OBJ_GET_INFO_BY_FD:
	case BPF_MAP_FREEZE:
	case BPF_LINK_CREATE:
	case BPF_LINK_UPDATE:
	case BPF_LINK_DETACH:
	case BPF_ITER_CREATE:
	case BPF_PROG_BIND_MAP:
		return WD_ATTR_FIRST_FD;
	default:
		return WD_NO_OFFSET;
	}
}

static __always_inline bool wd_is_own_command(__u32 command)
{
	return command >= WD_ATTACH && command < WD_OWN_COMMANDS_END;
}

/* OBJ_PIN, OBJ_GET and RAW_TRACEPOINT_OPEN begin with a pointer to a string. */
static __always_inline bool wd_names_text(__u32 command)
{
	return command == BPF_OBJ_PIN || command == BPF_OBJ_GET ||
	       command == BPF_RAW_TRACEPOINT_OPEN;
}

static __always_inline __u32 wd_ring_of(__u32 command, __u32 decision)
{
	if (decision != WD_ALLOW)
		return WD_RING_DENY;
	if (wd_is_own_command(command))
		return WD_RING_OBJECT;
	switch (command) {
	case BPF_MAP_CREATE:
	case BPF_PROG_LOAD:
	case BPF_OBJ_PIN:
	case BPF_OBJ_GET:
	case BPF_PROG_ATTACH:
	case BPF_PROG_DETACH:
	case BPF_PROG_TEST_RUN:
	case BPF_PROG_GET_FD_BY_ID:
	case BPF_MAP_GET_FD_BY_ID:
	case BPF_BTF_GET_FD_BY_ID:
	case BPF_LINK_GET_FD_BY_ID:
	case BPF_RAW_TRACEPOINT_OPEN:
	case BPF_BTF_LOAD:
	case BPF_MAP_FREEZE:
	case BPF_LINK_CREATE:
	case BPF_LINK_UPDATE:
	case BPF_LINK_DETACH:
	case BPF_ENABLE_STATS:
	case BPF_ITER_CREATE:
	case BPF_PROG_BIND_MAP:
	case WD_TOKEN_CREATE:
		return WD_RING_OBJECT;
	default:
		return WD_RING_BULK;
	}
}

#endif /* WARDEN_ATTR_H */
