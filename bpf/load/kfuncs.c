/* SPDX-License-Identifier: Apache-2.0 */
/* Reads /sys/kernel/btf: vmlinux, then every module on top of it. */
#include "kfuncs.h"

#include "cleanup.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#define BTF_DIR "/sys/kernel/btf"
#define TAG "bpf_kfunc"
#define FIRST_ROOM 256

static void free_btf(struct btf **btf)
{
	btf__free(*btf);
}

#define _cleanup_btf_ __attribute__((cleanup(free_btf)))

void wd_kfuncs_free(struct wd_kfuncs *kfuncs)
{
	free(kfuncs->list);
	*kfuncs = (struct wd_kfuncs){};
}

static __u64 row_of(const struct wd_policy *policy, const char *name)
{
	__u64 row = 0;

	for (__u32 i = 0; i < WD_MAX_GRANTS; i++)
		if (wd_patterns_grant(&policy->kfuncs[i], name))
			row |= 1ULL << i;
	return row;
}

int wd_kfuncs_add(struct wd_kfuncs *kfuncs, const struct wd_policy *policy, const char *name,
		  __u32 before)
{
	struct wd_found_kfunc *kfunc;

	if (kfuncs->count == kfuncs->room) {
		size_t room = kfuncs->room ? 2 * kfuncs->room : FIRST_ROOM;
		void *list = reallocarray(kfuncs->list, room, sizeof(*kfuncs->list));

		if (!list)
			return -ENOMEM;
		kfuncs->list = list;
		kfuncs->room = room;
	}
	kfunc = &kfuncs->list[kfuncs->count++];
	*kfunc = (struct wd_found_kfunc){ .before = before, .next = row_of(policy, name) };
	strncpy(kfunc->key.name, name, sizeof(kfunc->key.name) - 1);
	return 0;
}

static bool is_named(const struct wd_policy *policy, const char *name)
{
	for (__u32 i = 0; i < WD_MAX_GRANTS; i++)
		if (wd_patterns_name(&policy->kfuncs[i], name))
			return true;
	return false;
}

static int add_named(struct wd_kfuncs *kfuncs, const struct wd_policy *policy,
		     const struct btf *btf, const struct btf_type *function)
{
	const char *name = btf__name_by_offset(btf, function->name_off);

	if (!name || !*name || !is_named(policy, name))
		return 0;
	return wd_kfuncs_add(kfuncs, policy, name, 0);
}

/* The function that `type` tags as a kfunc, or NULL. */
static const struct btf_type *tagged(const struct btf *btf, const struct btf_type *type)
{
	const struct btf_type *function;
	const char *tag;

	if (!btf_is_decl_tag(type) || btf_decl_tag(type)->component_idx != -1)
		return NULL;
	tag = btf__name_by_offset(btf, type->name_off);
	function = btf__type_by_id(btf, type->type);
	return tag && !strcmp(tag, TAG) && function && btf_is_func(function) ? function : NULL;
}

/*
 * The types from `start` on. Each BTF is looked at by itself: a module that was built without tags
 * would else hide its kfuncs from `!patterns`.
 */
static int add_from(struct wd_kfuncs *kfuncs, const struct wd_policy *policy,
		    const struct btf *btf, __u32 start)
{
	__u32 end = btf__type_cnt(btf);
	bool has_tags = false;

	for (__u32 id = start; id < end; id++) {
		const struct btf_type *function = tagged(btf, btf__type_by_id(btf, id));
		int err = function ? add_named(kfuncs, policy, btf, function) : 0;

		has_tags |= function != NULL;
		if (err)
			return err;
	}
	for (__u32 id = start; !has_tags && id < end; id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		int err = btf_is_func(type) ? add_named(kfuncs, policy, btf, type) : 0;

		if (err)
			return err;
	}
	return 0;
}

/* A module that goes away while we look has no kfuncs to judge. */
static int add_module(struct wd_kfuncs *kfuncs, const struct wd_policy *policy,
		      struct btf *kernel, const char *name)
{
	_cleanup_btf_ struct btf *btf = NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), BTF_DIR "/%s", name);
	btf = btf__parse_split(path, kernel);
	if (!btf)
		return errno == ENOENT || errno == ENODEV ? 0 : -errno;
	return add_from(kfuncs, policy, btf, btf__type_cnt(kernel));
}

int wd_kfuncs_find(struct wd_kfuncs *kfuncs, const struct wd_policy *policy)
{
	_cleanup_btf_ struct btf *kernel = NULL;
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;
	bool any = false;
	int err;

	for (__u32 i = 0; i < WD_MAX_GRANTS; i++)
		any |= wd_patterns_name_any(&policy->kfuncs[i]);
	if (!any)
		return 0;
	kernel = btf__parse(BTF_DIR "/vmlinux", NULL);
	dir = opendir(BTF_DIR);
	if (!kernel || !dir)
		return -errno;
	err = add_from(kfuncs, policy, kernel, 1);
	while (!err && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "vmlinux"))
			err = add_module(kfuncs, policy, kernel, entry->d_name);
	return err;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct wd_kfunc_key));
}

void wd_kfuncs_merge(struct wd_kfuncs *kfuncs)
{
	size_t kept = 0;

	_Static_assert(offsetof(struct wd_found_kfunc, key) == 0, "compare() reads the key");
	if (kfuncs->count == 0)
		return;
	qsort(kfuncs->list, kfuncs->count, sizeof(*kfuncs->list), compare);
	for (size_t i = 1; i < kfuncs->count; i++) {
		struct wd_found_kfunc *one = &kfuncs->list[kept], *other = &kfuncs->list[i];

		if (compare(one, other)) {
			kfuncs->list[++kept] = *other;
			continue;
		}
		/* Names that differ only past the end of a key: refused if one of them is. */
		one->next &= other->next;
		one->before = one->before ? one->before : other->before;
	}
	kfuncs->count = kept + 1;
}
