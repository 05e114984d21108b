/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories of a bpffs that the policy says something about, and loaders whose objects it adopts:
 * read from the compiled policy, and written for the guard. A domain is a bpffs itself or a
 * directory at its top, which its owner may make later: the guard knows it by device and name.
 */
#include "apply.h"

#include "words.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

const char *wd_read_adopt(struct wd_policy *policy, char **cursor)
{
	if (policy->adopted_count == WD_MAX_ADOPTED)
		return "more than 16 adopted loaders";
	if (wd_take_number(cursor, NULL, 1, UINT32_MAX,
			   &policy->scalars.adopted[policy->adopted_count]))
		return "needs the number of a loader";
	policy->adopted_count++;
	return NULL;
}

/* `-`, or up to WD_DOMAIN_LOADERS numbers with commas between them. */
static int take_loaders(char **cursor, const char *key, __u32 *ret_loaders)
{
	char *text = wd_take_value(cursor, key), *end;

	if (!text)
		return -EINVAL;
	if (!strcmp(text, "-"))
		return 0;
	for (int i = 0; i < WD_DOMAIN_LOADERS; i++) {
		unsigned long number = strtoul(text, &end, 10);

		if (end == text || number == 0 || number > UINT32_MAX)
			return -EINVAL;
		ret_loaders[i] = (__u32)number;
		if (!*end)
			return 0;
		if (*end != ',')
			return -EINVAL;
		text = end + 1;
	}
	return -EINVAL;
}

/* `-`, or up to WD_DOMAIN_PATTERNS names of maps, whose last character may be a star. */
static int take_maps(char **cursor, char ret_maps[WD_DOMAIN_PATTERNS][WD_NAME_LEN])
{
	char *text = wd_take_value(cursor, "maps");

	if (!text)
		return -EINVAL;
	if (!strcmp(text, "-"))
		return 0;
	for (int i = 0; i < WD_DOMAIN_PATTERNS; i++) {
		size_t len = strcspn(text, ",");

		if (len == 0 || len >= WD_NAME_LEN || memchr(text, '*', len - 1))
			return -EINVAL;
		memcpy(ret_maps[i], text, len);
		if (!text[len])
			return 0;
		text += len + 1;
	}
	return -EINVAL;
}

const char *wd_read_domain(struct wd_policy *policy, char **cursor)
{
	struct wd_policy_domain *one = &policy->domains[policy->domains_count];
	struct wd_domain *domain = &one->domain;

	if (policy->domains_count == WD_MAX_DOMAINS)
		return "more than 64 domains";
	if (wd_take_number(cursor, NULL, 1, UINT32_MAX, &one->number))
		return "needs a number from 1";
	if (wd_take_number(cursor, "enforce", 0, 1, &domain->enforce) ||
	    wd_take_number(cursor, "write", 0, 1, &domain->write))
		return "needs enforce= and write=, 0 or 1";
	if (wd_take_mask(cursor, "helpers", 64, domain->helpers))
		return "needs helpers= of 64 hexadecimal digits";
	if (take_loaders(cursor, "owners", domain->owners) ||
	    take_loaders(cursor, "readers", domain->readers))
		return "needs owners= and readers=, each - or up to 8 numbers of loaders";
	if (take_maps(cursor, domain->maps))
		return "needs maps=, - or up to 8 names of at most 15 characters";
	policy->domains_count++;
	return wd_read_path(cursor, one->path);
}

static bool is_bpffs(const char *path)
{
	struct statfs info;

	return statfs(path, &info) == 0 && (__u32)info.f_type == BPF_FS_MAGIC;
}

/* The root of a mount: what is above it is on another device. */
static bool is_root(const struct stat *info, const char *path)
{
	char above[PATH_MAX + 4];
	struct stat up;

	snprintf(above, sizeof(above), "%s/..", path);
	return stat(above, &up) == 0 && up.st_dev != info->st_dev;
}

static void fill_key(const struct stat *info, const char *name, struct wd_place_key *ret_key)
{
	ret_key->device = major(info->st_dev) << 20 | minor(info->st_dev);
	memcpy(ret_key->name, name, strlen(name));
}

/* Where a domain is: a bpffs, or a name at the top of one. Returns 0 or -ENOENT. */
static int find_place(const char *path, struct wd_place_key *ret_key)
{
	char above[PATH_MAX];
	struct stat info;
	char *name;

	if (is_bpffs(path) && !stat(path, &info) && is_root(&info, path)) {
		fill_key(&info, "", ret_key);
		return 0;
	}
	snprintf(above, sizeof(above), "%s", path);
	name = strrchr(above, '/');
	*name++ = 0;
	if (strlen(name) >= WD_DOMAIN_NAME || !is_bpffs(above) || stat(above, &info) ||
	    !is_root(&info, above))
		return -ENOENT;
	fill_key(&info, name, ret_key);
	return 0;
}

/* What the half had before goes; a place without a domain in force says nothing. */
static int clear_domains(int map, __u32 half)
{
	struct wd_domain_key keys[WD_POLICY_HALVES * WD_MAX_DOMAINS], *last = NULL;
	int count = 0;

	while (count < (int)(sizeof(keys) / sizeof(keys[0])) &&
	       !bpf_map_get_next_key(map, last, &keys[count]))
		last = &keys[count++];
	for (int i = 0; i < count; i++)
		if (keys[i].half == half && bpf_map_delete_elem(map, &keys[i]))
			return -errno;
	return 0;
}

int wd_domains_write(const struct wd_set *set, struct wd_policy *policy, __u32 half)
{
	int map = set->map[WD_MAP_DOMAINS], err = clear_domains(map, half);

	policy->scalars.domains = 0;
	for (__u32 i = 0; !err && i < policy->domains_count; i++) {
		struct wd_policy_domain *one = &policy->domains[i];
		struct wd_domain_key key = { .half = half, .number = one->number };
		struct wd_place_key place = {};

		one->found = find_place(one->path, &place) == 0;
		if (!one->found)
			continue;
		if (bpf_map_update_elem(map, &key, &one->domain, BPF_ANY) ||
		    bpf_map_update_elem(set->map[WD_MAP_PLACES], &place, &one->number, BPF_ANY))
			err = -errno;
		policy->scalars.domains++;
	}
	return err;
}
