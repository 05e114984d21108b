/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the iterators say of an object that is alive. */
#ifndef WARDEN_INVENTORY_H
#define WARDEN_INVENTORY_H

#include "maps.h"
#include "object.h"

static __always_inline __u32 wd_is_ours(__u32 kind, __u32 id)
{
	struct wd_own_key key = { .kind = kind, .id = id };

	return bpf_map_lookup_elem(&own, &key) != NULL;
}

/* Not inlined, so that the object's BTF has the struct, which a test compares. */
static __noinline void wd_list(struct seq_file *seq, const struct wd_object *object,
			       struct wd_inventory *line)
{
	line->kind = object->kind;
	line->id = object->id;
	line->type = object->type;
	line->attach_type = object->attach_type;
	line->target_id = object->target_id;
	line->insn_cnt = object->insn_cnt;
	line->tag = object->tag;
	__builtin_memcpy(line->name, object->name, sizeof(line->name));
	__builtin_memcpy(line->digest, object->digest, sizeof(line->digest));
	line->has_digest = object->has_digest;
	line->ours = wd_is_ours(object->kind, object->id);
	bpf_seq_write(seq, line, sizeof(*line));
}

static __always_inline void wd_list_prog(struct seq_file *seq, struct bpf_prog *prog)
{
	struct wd_object object = { .kind = WD_OBJECT_PROG };
	struct wd_inventory line = {};

	wd_fill_prog(prog, &object);
	line.load_boot_ns = BPF_CORE_READ(prog, aux, load_time);
	line.uid = BPF_CORE_READ(prog, aux, user) ? BPF_CORE_READ(prog, aux, user, uid.val) :
						    WD_NO_ID;
	wd_list(seq, &object, &line);
}

static __always_inline void wd_list_map(struct seq_file *seq, struct bpf_map *map)
{
	struct wd_object object = { .kind = WD_OBJECT_MAP };
	struct wd_inventory line = { .uid = WD_NO_ID };

	wd_fill_map(map, &object);
	line.max_entries = BPF_CORE_READ(map, max_entries);
	line.key_size = BPF_CORE_READ(map, key_size);
	line.value_size = BPF_CORE_READ(map, value_size);
	wd_list(seq, &object, &line);
}

static __always_inline void wd_list_link(struct seq_file *seq, struct bpf_link *link)
{
	struct wd_object object = { .kind = WD_OBJECT_LINK };
	struct wd_inventory line = { .uid = WD_NO_ID };

	wd_fill_link(link, &object);
	wd_list(seq, &object, &line);
}

#endif /* WARDEN_INVENTORY_H */
