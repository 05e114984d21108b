/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Names of functions, from the kernel's own BTF in its own memory. Where the kernel keeps that of
 * vmlinux is learned from an fd of it, which warden-load shows us (`resolve`).
 */
#ifndef WARDEN_NAMES_H
#define WARDEN_NAMES_H

#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

__u64 kernel_btf;

/* A module's BTF continues that of vmlinux: lower ids and string offsets are of its base. */
static __always_inline struct btf *wd_btf_base(struct btf *btf, __u32 at, __u32 start)
{
	return at < start ? BPF_CORE_READ(btf, base_btf) : btf;
}

/* Writes the name of type `id`; returns its length with the NUL, or a negative error. */
static __always_inline long wd_btf_name(struct btf *btf, __u32 id, char *name, __u32 size)
{
	struct btf_type **types, *type = NULL;
	struct btf *home;
	__u32 offset;

	if (!btf)
		return -ENOENT;
	home = wd_btf_base(btf, id, BPF_CORE_READ(btf, start_id));
	types = BPF_CORE_READ(home, types) + (id - BPF_CORE_READ(home, start_id));
	if (id - BPF_CORE_READ(home, start_id) >= BPF_CORE_READ(home, nr_types) ||
	    bpf_probe_read_kernel(&type, sizeof(type), types) || !type)
		return -ENOENT;
	offset = BPF_CORE_READ(type, name_off);
	home = wd_btf_base(home, offset, BPF_CORE_READ(home, start_str_off));
	offset -= BPF_CORE_READ(home, start_str_off);
	return bpf_probe_read_kernel_str(name, size, BPF_CORE_READ(home, strings) + offset);
}

#endif /* WARDEN_NAMES_H */
