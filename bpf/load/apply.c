/* SPDX-License-Identifier: Apache-2.0 */
/* Grants, kfunc classes, loaders and scalars of a policy, into one half of the maps. */
#include "apply.h"

#include "classes.h"
#include "change.h"
#include "cleanup.h"
#include "owner.h"
#include "raise.h"
#include "say.h"
#include "sha256.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define NS_PER_S 1000000000ULL

static int write_grants(const struct wd_set *set, const struct wd_policy *policy, __u32 half)
{
	for (__u32 i = 0; i < WD_MAX_GRANTS; i++) {
		__u32 key = half * WD_MAX_GRANTS + i;

		if (bpf_map_update_elem(set->map[WD_MAP_GRANTS], &key, &policy->grants[i], BPF_ANY))
			return -errno;
	}
	return 0;
}

int wd_key_of(const struct wd_set *set, int fd, struct wd_exe_key *ret_key)
{
	struct wd_resolve context = { .fd = fd };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &context, .ctx_size_in = sizeof(context));

	if (bpf_prog_test_run_opts(set->resolve, &run))
		return -errno;
	if (context.error)
		return context.error;
	*ret_key = context.exe;
	return 0;
}

const struct wd_policy_loader *wd_loader_listed(const struct wd_policy *policy, const char *path,
						const __u8 digest[WD_DIGEST_LEN])
{
	for (__u32 i = 0; i < policy->loaders_count; i++) {
		const struct wd_policy_loader *loader = &policy->loaders[i];

		if (loader->has_sha256 && !strcmp(loader->path, path) &&
		    !memcmp(loader->sha256, digest, WD_DIGEST_LEN))
			return loader;
	}
	return NULL;
}

__u64 wd_left_of(const struct wd_policy_loader *loader, const struct stat *info)
{
	__s64 age = time(NULL) - info->st_ctim.tv_sec;

	if (age < 0)
		age = 0;
	return age < loader->keep_s ? (loader->keep_s - age) * NS_PER_S : 0;
}

/* What is in force of a loader's file: `half` is filled for what is labelled or kept. */
static enum wd_loader_status judge_file(const struct wd_policy *policy,
					const struct wd_policy_loader *loader, int fd,
					struct wd_loader_half *half)
{
	__u8 digest[WD_SHA256_LEN];
	struct stat info;

	if (fstat(fd, &info) || !S_ISREG(info.st_mode))
		return WD_LOADER_UNREADABLE;
	wd_loader_fill(loader, half);
	if (!loader->has_sha256)
		return WD_LOADER_LABELLED;
	if (wd_sha256_fd(fd, digest))
		return WD_LOADER_UNREADABLE;
	if (!memcmp(digest, loader->sha256, sizeof(digest)))
		return WD_LOADER_LABELLED;
	if (wd_loader_listed(policy, loader->path, digest))
		return WD_LOADER_OTHER;
	if (!wd_left_of(loader, &info) || !wd_is_roots(loader->path, &info))
		return WD_LOADER_MISMATCH;
	memcpy(half->digest, digest, sizeof(half->digest));
	if (loader->keep_s != WD_KEEP_ALWAYS)
		half->until_boot_ns = wd_boot_ns() + wd_left_of(loader, &info);
	return WD_LOADER_KEPT;
}

static enum wd_loader_status open_loader(const struct wd_policy *policy,
					 const struct wd_policy_loader *loader, int *ret_fd,
					 struct wd_loader_half *half)
{
	*ret_fd = open(loader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*ret_fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? WD_LOADER_ABSENT :
							     WD_LOADER_UNREADABLE;
	return judge_file(policy, loader, *ret_fd, half);
}

void wd_loader_fill(const struct wd_policy_loader *loader, struct wd_loader_half *ret_half)
{
	*ret_half = (struct wd_loader_half){
		.index = loader->number,
		.kind = loader->kind,
		.grant = loader->grant,
		.floor = loader->floor,
		.has_digest = loader->has_sha256,
		.listed = loader->listed,
	};
	memcpy(ret_half->digest, loader->sha256, sizeof(ret_half->digest));
}

static int write_loader(const struct wd_set *set, const struct wd_policy *policy,
			struct wd_policy_loader *loader, __u32 half, bool first)
{
	_cleanup_fd_ int fd = -1;
	struct wd_loader value = {};
	struct wd_loader_half found;
	struct wd_exe_key key = {};
	__u32 before = (half + 1) % WD_POLICY_HALVES;
	int err, map = set->map[WD_MAP_LOADERS];

	loader->status = open_loader(policy, loader, &fd, &found);
	if (loader->status != WD_LOADER_LABELLED && loader->status != WD_LOADER_KEPT)
		return 0;
	err = wd_key_of(set, fd, &key);
	if (err)
		return err;
	if (bpf_map_lookup_elem(map, &key, &value) && errno != ENOENT)
		return -errno;
	if (value.half[half].index) {
		loader->status = WD_LOADER_DUPLICATE;
		return 0;
	}
	value.half[half] = found;
	value.half[half].fresh = first || !value.half[before].index;
	return bpf_map_update_elem(map, &key, &value, BPF_ANY) ? -errno : 0;
}

/* Takes one half of every entry away; an entry with nothing left goes. */
static int clear_half(const struct wd_set *set, __u32 half)
{
	static struct wd_exe_key keys[WD_LOADER_FILES];
	struct wd_exe_key *last = NULL;
	int count = 0, map = set->map[WD_MAP_LOADERS];

	while (count < (int)WD_COUNT(keys) && !bpf_map_get_next_key(map, last, &keys[count]))
		last = &keys[count++];
	for (int i = 0; i < count; i++) {
		struct wd_loader value;

		if (bpf_map_lookup_elem(map, &keys[i], &value))
			return -errno;
		memset(&value.half[half], 0, sizeof(value.half[half]));
		if (value.half[(half + 1) % WD_POLICY_HALVES].index) {
			if (bpf_map_update_elem(map, &keys[i], &value, BPF_EXIST))
				return -errno;
		} else if (bpf_map_delete_elem(map, &keys[i])) {
			return -errno;
		}
	}
	return 0;
}

static int write_half(const struct wd_set *set, struct wd_policy *policy, __u32 half, bool first)
{
	int err = clear_half(set, half);

	if (!err)
		err = write_grants(set, policy, half);
	for (__u32 i = 0; !err && i < policy->loaders_count; i++)
		err = write_loader(set, policy, &policy->loaders[i], half, first);
	if (!err)
		err = wd_code_write(set, policy, half);
	return err ? err : wd_domains_write(set, policy, half);
}

static bool is_operator(const struct wd_set *set, const struct wd_policy *policy,
			const struct wd_operator_key *name)
{
	struct wd_operator operator;

	if (bpf_map_lookup_elem(set->map[WD_MAP_OPERATORS], name, &operator))
		return false;
	for (__u32 i = 0; i < policy->operators_count; i++)
		if (!strcmp(policy->operator_names[i].name, name->name))
			return !memcmp(operator.key, policy->operator_keys[i].key, WD_KEY_LEN);
	return false;
}

/* Takes away who is no operator any more, or by another key. */
static int take_operators(const struct wd_set *set, const struct wd_policy *policy)
{
	struct wd_operator_key keys[WD_MAX_OPERATORS], *last = NULL;
	int count = 0, map = set->map[WD_MAP_OPERATORS];

	while (count < WD_MAX_OPERATORS && !bpf_map_get_next_key(map, last, &keys[count]))
		last = &keys[count++];
	for (int i = 0; i < count; i++)
		if (!is_operator(set, policy, &keys[i]) && bpf_map_delete_elem(map, &keys[i]))
			return -errno;
	return 0;
}

static int give_operators(const struct wd_set *set, const struct wd_policy *policy)
{
	int map = set->map[WD_MAP_OPERATORS];

	for (__u32 i = 0; i < policy->operators_count; i++)
		if (bpf_map_update_elem(map, &policy->operator_names[i], &policy->operator_keys[i],
					BPF_ANY))
			return -errno;
	return 0;
}

/* The flip is one word. What has no halves is taken away before it and given after it. */
static int put_in_force(const struct wd_set *set, const struct wd_policy *policy, __u32 half)
{
	struct wd_config config;
	int err = take_operators(set, policy);

	if (!err)
		err = wd_raise_take_bases(set, policy);
	if (!err)
		err = wd_config_read(set, &config);
	if (err)
		return err;
	config.policy[half] = policy->scalars;
	err = wd_config_write(set, &config);
	config.half = half;
	config.applied++;
	if (!err)
		err = wd_config_write(set, &config);
	if (!err)
		err = give_operators(set, policy);
	return err ? err : wd_raise_give_bases(set, policy);
}

int wd_apply_policy(const struct wd_set *set, struct wd_policy *policy, bool first)
{
	struct wd_config config;
	int code, err = wd_config_read(set, &config);
	__u32 half;

	if (err)
		return wd_fail(EX_OSERR, "apply policy", "config", err, NULL);
	half = (config.half + 1) % WD_POLICY_HALVES;
	code = wd_classes_write(set, policy, config.half);
	if (!code)
		code = wd_changes_digest(policy, policy->scalars.list);
	if (code)
		return code;
	err = write_half(set, policy, half, first);
	/* Only now is all of it there. */
	if (!err)
		err = put_in_force(set, policy, half);
	return err ? wd_fail(EX_OSERR, "apply policy", "maps", err, NULL) : EX_OK;
}
