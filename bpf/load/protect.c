/* SPDX-License-Identifier: Apache-2.0 */
/* Telling the guard what it is made of. */
#include "protect.h"

#include "cleanup.h"
#include "own_mount.h"
#include "say.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GENERATION_PREFIX "generation-"

/* The kernel says EINVAL to a program that is attached already. */
static int attach_sysctl(const struct wd_set *set)
{
	_cleanup_fd_ int cgroup = -1;

	if (set->sysctl < 0)
		return 0;
	cgroup = wd_open_own("cgroup2", ".", O_RDONLY | O_DIRECTORY);
	if (cgroup < 0)
		return cgroup;
	if (bpf_prog_attach(set->sysctl, cgroup, BPF_CGROUP_SYSCTL, BPF_F_ALLOW_MULTI) &&
	    errno != EINVAL)
		return -errno;
	return 0;
}

static int learn_place(const char *dir, const struct wd_set *set)
{
	struct wd_resolve context = { .place = 1 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &context, .ctx_size_in = sizeof(context));
	_cleanup_fd_ int fd = -1;
	struct wd_config config;
	char path[PATH_MAX];
	int err;

	snprintf(path, sizeof(path), "%s/bpf", dir);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	context.fd = fd;
	if (bpf_prog_test_run_opts(set->resolve, &run))
		return -errno;
	if (context.error)
		return context.error;
	err = wd_config_read(set, &config);
	if (err || config.own_device == context.exe.device)
		return err;
	config.own_device = context.exe.device;
	return wd_config_write(set, &config);
}

static int list_function(const struct wd_set *set, const char *before, const char *name,
			 __u32 kind)
{
	char function[128];
	__s32 id;

	snprintf(function, sizeof(function), "%s%s", before, name);
	id = btf__find_by_name_kind(wd_kernel_btf(), function, BTF_KIND_FUNC);
	if (id <= 0)
		return 0;
	return bpf_map_update_elem(set->map[WD_MAP_HOOKED], &id, &kind, BPF_ANY) ? -errno : 0;
}

/*
 * Where the kernel takes a positive answer for a permission, or where ours says who somebody is,
 * nobody else's may be: it could be asked before ours after an upgrade.
 */
static bool is_shared(const char *name)
{
	static const char *const ours[] = { "bpf", "task_", "bprm_" };

	for (size_t i = 0; i < WD_COUNT(ours); i++)
		if (!strncmp(name, ours[i], strlen(ours[i])))
			return false;
	return true;
}

/* An LSM hook is two functions: that of BPF LSM, and the one that calls all LSMs. */
static int list_hooked(const struct wd_set *set)
{
	int err = wd_kernel_btf() ? 0 : -ENOENT;

	for (int i = 0; !err && i < WD_HOOKS; i++) {
		const char *section = WD_HOOK_SPECS[i].section, *name = strchr(section, '/') + 1;
		const char *instead = WD_HOOK_SPECS[i].instead;

		if (set->hook[i] < 0 || strncmp(section, "lsm", 3))
			continue;
		err = list_function(set, "bpf_lsm_", name,
				    is_shared(name) ? WD_HOOKED_SHARED : WD_HOOKED_OURS);
		if (!err)
			err = list_function(set, "security_", name, WD_HOOKED_OURS);
		if (!err && instead)
			err = list_function(set, "", strchr(instead, '/') + 1, WD_HOOKED_OURS);
	}
	return err;
}

int wd_protect_begin(const char *dir, const struct wd_set *set)
{
	int err = learn_place(dir, set);

	if (err)
		return wd_fail(EX_OSERR, "learn own bpffs", dir, err, NULL);
	err = list_hooked(set);
	if (err)
		return wd_fail(EX_OSERR, "list own hooks", "hooked", err, NULL);
	err = attach_sysctl(set);
	return err ? wd_fail(EX_OSERR, "attach", "cgroup/sysctl", err,
			     "needs a kernel with CONFIG_CGROUP_BPF") : EX_OK;
}

static int detach_one(const char *dir, const char *generation)
{
	_cleanup_fd_ int program = -1, cgroup = -1;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bpf/%s/guard_sysctl", dir, generation);
	program = bpf_obj_get(path);
	if (program < 0)
		return errno == ENOENT ? 0 : -errno;
	cgroup = wd_open_own("cgroup2", ".", O_RDONLY | O_DIRECTORY);
	if (cgroup < 0)
		return cgroup;
	if (bpf_prog_detach2(program, cgroup, BPF_CGROUP_SYSCTL) && errno != ENOENT)
		return -errno;
	return 0;
}

int wd_protect_end(const char *dir, __u32 keep)
{
	_cleanup_dir_ DIR *pins = NULL;
	char path[PATH_MAX], kept[64];
	struct dirent *entry;
	int err = 0;

	snprintf(path, sizeof(path), "%s/bpf", dir);
	snprintf(kept, sizeof(kept), GENERATION_PREFIX "%u", keep);
	pins = opendir(path);
	while (pins && (entry = readdir(pins))) {
		if (strncmp(entry->d_name, GENERATION_PREFIX, strlen(GENERATION_PREFIX)) ||
		    !strcmp(entry->d_name, kept))
			continue;
		int one = detach_one(dir, entry->d_name);

		err = one ? one : err;
	}
	return err;
}
