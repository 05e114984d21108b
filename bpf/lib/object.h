/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The kernel's own object behind an fd. The kind is told by the file's operations, whose addresses
 * warden-load teaches us at load by showing an fd of each kind (`resolve`).
 *
 * An fd can be replaced between the call and our look (dup2 in another thread): good enough to
 * report, never to decide by.
 */
#ifndef WARDEN_OBJECT_H
#define WARDEN_OBJECT_H

#include "kernel.h"
#include "warden.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define WD_KINDS 5

__u64 file_operations[WD_KINDS];

static __always_inline struct file *wd_file_of(struct task_struct *task, __u32 fd)
{
	struct fdtable *table = task->files->fdt;
	struct file **files = table->fd, *file = NULL;

	if (fd >= table->max_fds)
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	return file;
}

static __always_inline __u32 wd_kind_of(struct file *file)
{
	__u64 operations = (__u64)BPF_CORE_READ(file, f_op);

	if (!operations)
		return WD_OBJECT_NONE;
	for (__u32 kind = WD_OBJECT_PROG; kind <= WD_OBJECT_BTF; kind++)
		if (file_operations[kind] == operations)
			return kind;
	return WD_OBJECT_NONE;
}

static __always_inline void wd_read_digest(struct bpf_prog *prog, __u8 *ret_digest,
					   __u32 *ret_has_digest)
{
	struct bpf_prog___618 *newer = (void *)prog;

	if (!bpf_core_field_exists(newer->digest))
		return;
	BPF_CORE_READ_INTO((__u8(*)[WD_DIGEST_LEN])ret_digest, newer, digest);
	*ret_has_digest = 1;
}

static __always_inline void wd_fill_prog(struct bpf_prog *prog, struct wd_object *object)
{
	struct bpf_prog_aux *aux = BPF_CORE_READ(prog, aux);

	object->id = BPF_CORE_READ(aux, id);
	object->type = BPF_CORE_READ(prog, type);
	object->attach_type = BPF_CORE_READ(prog, expected_attach_type);
	object->insn_cnt = BPF_CORE_READ(prog, len);
	object->gpl = BPF_CORE_READ_BITFIELD_PROBED(prog, gpl_compatible);
	BPF_CORE_READ_INTO((__u8(*)[8])&object->tag, prog, tag);
	BPF_CORE_READ_INTO(&object->name, aux, name);
	wd_read_digest(prog, object->digest, &object->has_digest);
}

static __always_inline void wd_fill_map(struct bpf_map *map, struct wd_object *object)
{
	object->id = BPF_CORE_READ(map, id);
	object->type = BPF_CORE_READ(map, map_type);
	BPF_CORE_READ_INTO(&object->name, map, name);
}

static __always_inline __u32 wd_link_attach_type(struct bpf_link *link)
{
	struct bpf_link___617 *newer = (void *)link;

	if (!bpf_core_field_exists(newer->attach_type))
		return 0;
	return BPF_CORE_READ(newer, attach_type);
}

static __always_inline void wd_fill_link(struct bpf_link *link, struct wd_object *object)
{
	object->id = BPF_CORE_READ(link, id);
	object->type = BPF_CORE_READ(link, type);
	object->attach_type = wd_link_attach_type(link);
	object->target_id = BPF_CORE_READ(link, prog, aux, id);
}

static __always_inline void wd_fill_btf(struct btf *btf, struct wd_object *object)
{
	object->id = BPF_CORE_READ(btf, id);
	bpf_probe_read_kernel_str(object->name, sizeof(object->name), &btf->name);
}

/* Kind and id only, for a call that is counted: most of them are. */
static __always_inline void wd_fill_map_id(struct file *file, struct wd_object *object)
{
	struct bpf_map *map;

	if ((__u64)BPF_CORE_READ(file, f_op) != file_operations[WD_OBJECT_MAP])
		return;
	object->kind = WD_OBJECT_MAP;
	map = BPF_CORE_READ(file, private_data);
	object->id = BPF_CORE_READ(map, id);
}

/* True for a map whose elements are programs, or places that packets go to. */
static __always_inline bool wd_is_control(struct file *file)
{
	struct bpf_map *map = BPF_CORE_READ(file, private_data);

	if ((__u64)BPF_CORE_READ(file, f_op) != file_operations[WD_OBJECT_MAP])
		return false;
	switch (BPF_CORE_READ(map, map_type)) {
	case BPF_MAP_TYPE_PROG_ARRAY:
	case BPF_MAP_TYPE_DEVMAP:
	case BPF_MAP_TYPE_DEVMAP_HASH:
	case BPF_MAP_TYPE_CPUMAP:
	case BPF_MAP_TYPE_SOCKMAP:
	case BPF_MAP_TYPE_SOCKHASH:
	case BPF_MAP_TYPE_STRUCT_OPS:
		return true;
	default:
		return false;
	}
}

/* Fills a zeroed `object`; leaves it so when the fd is no object of BPF. */
static __always_inline void wd_fill_object(struct file *file, struct wd_object *object)
{
	void *data = BPF_CORE_READ(file, private_data);

	object->kind = wd_kind_of(file);
	switch (object->kind) {
	case WD_OBJECT_PROG:
		return wd_fill_prog(data, object);
	case WD_OBJECT_MAP:
		return wd_fill_map(data, object);
	case WD_OBJECT_LINK:
		return wd_fill_link(data, object);
	case WD_OBJECT_BTF:
		return wd_fill_btf(data, object);
	}
}

#endif /* WARDEN_OBJECT_H */
