/* SPDX-License-Identifier: Apache-2.0 */
/* The number of a kernel function, from the BTF that the kernel shows in /sys/kernel/btf. */
#ifndef WARDEN_WORKLOAD_BTF_H
#define WARDEN_WORKLOAD_BTF_H

#include <linux/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct btf_file {
	char *bytes;
	struct btf_header *header;
};

static inline int read_btf(const char *name, struct btf_file *ret_file)
{
	size_t room = 16 << 20, got;
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/btf/%s", name);
	file = fopen(path, "re");
	ret_file->bytes = file ? malloc(room) : NULL;
	if (!ret_file->bytes)
		return -1;
	got = fread(ret_file->bytes, 1, room, file);
	fclose(file);
	ret_file->header = (struct btf_header *)ret_file->bytes;
	return got > sizeof(struct btf_header) ? 0 : -1;
}

/* Bytes that a type has beyond its struct btf_type. */
static inline size_t btf_tail(const struct btf_type *type)
{
	unsigned int count = BTF_INFO_VLEN(type->info);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return sizeof(__u32);
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return count * sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return count * sizeof(struct btf_enum);
	case BTF_KIND_ENUM64:
		return count * sizeof(struct btf_enum64);
	case BTF_KIND_FUNC_PROTO:
		return count * sizeof(struct btf_param);
	case BTF_KIND_DATASEC:
		return count * sizeof(struct btf_var_secinfo);
	default:
		return 0;
	}
}

/*
 * The id of function `name`, or of the type after the last one when `name` is NULL. Ids begin with
 * `first`; a module's strings go on where those of vmlinux, `base_strings` bytes, end.
 */
static inline int btf_find(const struct btf_file *file, const char *name, int first,
			   unsigned int base_strings)
{
	const char *types = file->bytes + file->header->hdr_len + file->header->type_off;
	const char *strings = file->bytes + file->header->hdr_len + file->header->str_off;
	const char *end = types + file->header->type_len;
	int id = first;

	while (types < end) {
		const struct btf_type *type = (const void *)types;

		if (name && BTF_INFO_KIND(type->info) == BTF_KIND_FUNC &&
		    type->name_off >= base_strings &&
		    !strcmp(strings + type->name_off - base_strings, name))
			return id;
		types += sizeof(*type) + btf_tail(type);
		id++;
	}
	return name ? -1 : id;
}

/* The BTF id of a function of vmlinux, or of `module`; -1 when there is none. */
static inline int btf_function(const char *module, const char *name)
{
	struct btf_file base, file;
	int next;

	if (read_btf("vmlinux", &base))
		return -1;
	if (!module)
		return btf_find(&base, name, 1, 0);
	next = btf_find(&base, NULL, 1, 0);
	if (read_btf(module, &file))
		return -1;
	return btf_find(&file, name, next, base.header->str_len);
}

#endif /* WARDEN_WORKLOAD_BTF_H */
