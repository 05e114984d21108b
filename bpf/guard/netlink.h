/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Whether a message to NETLINK_ROUTE attaches a program: XDP on a device, cls_bpf or act_bpf. By
 * the kernel's copy of the message. Fail closed: what is too long to be looked through does.
 */
#ifndef WARDEN_NETLINK_H
#define WARDEN_NETLINK_H

#include "common.h"

#define PROTOCOL_ROUTE 0

#define NEW_LINK 16
#define SET_LINK 19
#define NEW_FILTER 44
#define NEW_ACTION 48

#define MESSAGE_HEAD 16
#define LINK_HEAD (MESSAGE_HEAD + 16) /* struct ifinfomsg */
#define ATTR_XDP 43
#define ATTR_MASK 0x3fff
#define ATTR_HEAD 4

#define MESSAGES_MAX 64
#define ATTRS_MAX 128
#define WORDS_MAX 1024	       /* of 4 bytes, of a message about a filter or an action */

/* The kind of a filter or an action, with its name: the kernel takes it with or without a NUL. */
#define ATTR_KIND 1
#define KIND_LENGTH (ATTR_HEAD + 3)
#define KIND_BPF 0x00667062U
#define KIND_MASK 0x00ffffffU

struct netlink_walk {
	const unsigned char *data;
	__u32 at, end;	       /* of what is walked, in bytes from `data` */
	__u32 message_end;
	bool found;
	bool done;
};

static __always_inline __u32 aligned(__u32 length)
{
	return (length + 3) & ~3U;
}

static long attr_step(__u32 i, void *context)
{
	struct netlink_walk *walk = context;
	__u16 head[2] = {};

	if (walk->at + ATTR_HEAD > walk->message_end ||
	    bpf_probe_read_kernel(head, sizeof(head), walk->data + walk->at) ||
	    head[0] < ATTR_HEAD) {
		walk->done = true;
		return 1;
	}
	walk->found = (head[1] & ATTR_MASK) == ATTR_XDP;
	walk->at += aligned(head[0]);
	return wd_ends(walk->found);
}

/* As nla_strscpy() and the comparison of the names of kinds have it, whatever stands behind. */
static __always_inline bool is_kind_bpf(const __u32 words[2])
{
	__u32 length = words[0] & 0xffff, type = words[0] >> 16 & ATTR_MASK;

	return type == ATTR_KIND && length >= KIND_LENGTH && (words[1] & KIND_MASK) == KIND_BPF &&
	       (length == KIND_LENGTH || !(words[1] & ~KIND_MASK));
}

/* At any depth: an action can be in a filter of any kind. */
static long word_step(__u32 i, void *context)
{
	struct netlink_walk *walk = context;
	__u32 words[2] = {};

	if (walk->at + KIND_LENGTH > walk->message_end ||
	    bpf_probe_read_kernel(words, sizeof(words), walk->data + walk->at)) {
		walk->done = true;
		return 1;
	}
	walk->found = is_kind_bpf(words);
	walk->at += sizeof(__u32);
	return wd_ends(walk->found);
}

static long message_step(__u32 i, void *context)
{
	struct netlink_walk *walk = context;
	__u32 from = walk->at, length = 0;
	__u16 type = 0;

	if (from + MESSAGE_HEAD > walk->end ||
	    bpf_probe_read_kernel(&length, sizeof(length), walk->data + from) ||
	    bpf_probe_read_kernel(&type, sizeof(type), walk->data + from + sizeof(length)) ||
	    length < MESSAGE_HEAD || length > walk->end - from) {
		walk->done = true;
		return 1;
	}
	walk->message_end = from + length;
	walk->done = true;
	if (type == NEW_LINK || type == SET_LINK) {
		walk->at = from + LINK_HEAD;
		walk->done = false;
		bpf_loop(ATTRS_MAX, attr_step, walk, 0);
	} else if (type == NEW_FILTER || type == NEW_ACTION) {
		walk->at = from + MESSAGE_HEAD;
		walk->done = false;
		bpf_loop(WORDS_MAX, word_step, walk, 0);
	}
	/* Not walked to its end, and so not known to be harmless. */
	if (!walk->done)
		walk->found = true;
	walk->done = false;
	walk->at = from + aligned(length);
	return wd_ends(walk->found);
}

static __noinline int attaches_program(struct sk_buff *skb)
{
	struct netlink_walk walk = {};

	walk.data = BPF_CORE_READ(skb, data);
	walk.end = BPF_CORE_READ(skb, len);
	bpf_loop(MESSAGES_MAX, message_step, &walk, 0);
	return walk.found || !walk.done;
}

#endif /* WARDEN_NETLINK_H */
