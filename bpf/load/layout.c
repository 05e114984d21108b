/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel keeps the BTF that a map was made with, so that no number has to be remembered for it:
 * a struct whose members moved within the same size is found too.
 */
#include "layout.h"

#include "cleanup.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <stdio.h>
#include <string.h>

/* Types of ours nest a few deep. */
#define DEPTH_MAX 16

struct side {
	const struct btf *btf;
	__u32 id;
};

struct comparison {
	char *text;
	const char *map;
};

static void free_btf(struct btf **btf)
{
	btf__free(*btf);
}

static bool differ(const struct comparison *comparison, const char *what, const char *where)
{
	snprintf(comparison->text, WD_LAYOUT_TEXT, "map %s: %s%s%s", comparison->map, what,
		 where ? " " : "", where ? where : "");
	return false;
}

static bool differ_number(const struct comparison *comparison, const char *what, __u32 there,
			  __u32 here)
{
	snprintf(comparison->text, WD_LAYOUT_TEXT, "map %s: %s is %u, of this build %u",
		 comparison->map, what, there, here);
	return false;
}

/* Past what does not change a layout: names of types, const, volatile. */
static const struct btf_type *resolve(struct side *side)
{
	const struct btf_type *type = btf__type_by_id(side->btf, side->id);

	while (type && (btf_is_mod(type) || btf_is_typedef(type))) {
		side->id = type->type;
		type = btf__type_by_id(side->btf, side->id);
	}
	return type;
}

static bool same_type(const struct comparison *comparison, struct side there, struct side here,
		      const char *name, int depth);

static bool same_members(const struct comparison *comparison, const struct side *there,
			 const struct side *here, int depth)
{
	const struct btf_type *a = btf__type_by_id(there->btf, there->id);
	const struct btf_type *b = btf__type_by_id(here->btf, here->id);
	const char *struct_name = btf__name_by_offset(here->btf, b->name_off);

	for (int i = 0; i < btf_vlen(a); i++) {
		const char *name_a, *name_b;
		struct side inner_a = { there->btf, btf_members(a)[i].type };
		struct side inner_b = { here->btf, 0 };

		if (i >= btf_vlen(b))
			return differ(comparison, "fewer members in", struct_name);
		inner_b.id = btf_members(b)[i].type;
		name_a = btf__name_by_offset(there->btf, btf_members(a)[i].name_off);
		name_b = btf__name_by_offset(here->btf, btf_members(b)[i].name_off);
		if (strcmp(name_a, name_b) ||
		    btf_member_bit_offset(a, i) != btf_member_bit_offset(b, i))
			return differ(comparison, struct_name, name_b);
		if (!same_type(comparison, inner_a, inner_b, name_b, depth + 1))
			return false;
	}
	return btf_vlen(a) == btf_vlen(b) ||
	       differ(comparison, "more members in", struct_name);
}

static bool same_array(const struct comparison *comparison, const struct side *there,
		       const struct side *here, const char *name, int depth)
{
	const struct btf_array *a = btf_array(btf__type_by_id(there->btf, there->id));
	const struct btf_array *b = btf_array(btf__type_by_id(here->btf, here->id));
	struct side inner_a = { there->btf, a->type }, inner_b = { here->btf, b->type };

	if (a->nelems != b->nelems)
		return differ_number(comparison, name, a->nelems, b->nelems);
	return same_type(comparison, inner_a, inner_b, name, depth + 1);
}

static bool same_type(const struct comparison *comparison, struct side there, struct side here,
		      const char *name, int depth)
{
	const struct btf_type *a = resolve(&there), *b = resolve(&here);

	if (!a || !b || depth > DEPTH_MAX)
		return !a && !b ? true : differ(comparison, "the type of", name);
	if (btf_kind(a) != btf_kind(b))
		return differ(comparison, "the type of", name);
	if (btf_is_array(a))
		return same_array(comparison, &there, &here, name, depth);
	if (btf_is_ptr(a))
		return true;
	if (a->size != b->size && !btf_is_composite(a))
		return differ_number(comparison, name, a->size, b->size);
	return !btf_is_composite(a) || same_members(comparison, &there, &here, depth);
}

static bool same_types(const struct comparison *comparison, const struct bpf_object *object,
		       const struct bpf_map *built, const struct bpf_map_info *info)
{
	__attribute__((cleanup(free_btf))) struct btf *live = NULL;
	struct side here = { bpf_object__btf(object), bpf_map__btf_key_type_id(built) };
	struct side there = { NULL, info->btf_key_type_id };

	/* Rings have none: what is in them says its layout itself. */
	if (!info->btf_id)
		return true;
	live = btf__load_from_kernel_by_id(info->btf_id);
	if (!live)
		return differ(comparison, "its types can't be read", NULL);
	there.btf = live;
	if (!same_type(comparison, there, here, "key", 0))
		return false;
	there.id = info->btf_value_type_id;
	here.id = bpf_map__btf_value_type_id(built);
	return same_type(comparison, there, here, "value", 0);
}

bool wd_layout_fits(const struct bpf_object *object, const struct bpf_map *built, int fd,
		    bool is_ring, char ret_text[WD_LAYOUT_TEXT])
{
	struct comparison comparison = { ret_text, bpf_map__name(built) };
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return differ(&comparison, "can't be asked", NULL);
	if (info.type != bpf_map__type(built))
		return differ_number(&comparison, "its type", info.type, bpf_map__type(built));
	if (!is_ring && info.max_entries != bpf_map__max_entries(built))
		return differ_number(&comparison, "its size", info.max_entries,
				     bpf_map__max_entries(built));
	/* Which member it is says more than how many bytes. */
	if (!same_types(&comparison, object, built, &info))
		return false;
	if (info.key_size != bpf_map__key_size(built))
		return differ_number(&comparison, "bytes of a key", info.key_size,
				     bpf_map__key_size(built));
	return info.value_size == bpf_map__value_size(built) ||
	       differ_number(&comparison, "bytes of a value", info.value_size,
			     bpf_map__value_size(built));
}
