/* SPDX-License-Identifier: Apache-2.0 */
/* What is done once the programs are attached, before a load counts as done. */
#include "prove.h"

#include "cleanup.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

/*
 * On kernels that preempt tracing programs a call can slip by while another task stands in the
 * middle of one on the same CPU. The pause is for that task to go on.
 */
#define CANARY_TRIES 20
#define CANARY_PAUSE_US 1000

int wd_give_role(const struct wd_set *set, pid_t pid, enum wd_role role)
{
	_cleanup_fd_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct wd_task value = {};

	if (fd < 0)
		return -errno;
	/* What it has opened so far is not to be forgotten. */
	if (!bpf_map_lookup_elem(set->map[WD_MAP_TASKS], &fd, &value) &&
	    (value.role & WD_ROLE_KINDS) == (__u32)role)
		return 0;
	value = (struct wd_task){ .role = role };
	return bpf_map_update_elem(set->map[WD_MAP_TASKS], &fd, &value, BPF_ANY) ? -errno : 0;
}

int wd_role_unsealed(const struct wd_set *set)
{
	_cleanup_fd_ int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct wd_task value = {};

	if (fd < 0 || bpf_map_lookup_elem(set->map[WD_MAP_TASKS], &fd, &value))
		return -errno;
	value.role |= WD_ROLE_UNSEALED;
	return bpf_map_update_elem(set->map[WD_MAP_TASKS], &fd, &value, BPF_EXIST) ? -errno : 0;
}

static int run_iterator(int link)
{
	_cleanup_fd_ int fd = bpf_iter_create(link);
	char buffer[4096];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buffer, sizeof(buffer))) != 0)
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
	return 0;
}

/* Twice: a child made during the first pass may have a parent that was not labelled yet. */
int wd_label_baseline(const struct wd_set *set, enum wd_baseline mode)
{
	struct wd_config config;
	int off, err = wd_config_read(set, &config);

	if (err)
		return err;
	config.baseline = mode;
	err = wd_config_write(set, &config);
	for (int pass = 0; !err && pass < 2; pass++)
		err = run_iterator(set->baseline);
	config.baseline = WD_BASELINE_OFF;
	off = wd_config_write(set, &config);
	return err ? err : off;
}

int wd_let_act(const struct wd_set *set, __u32 generation)
{
	struct wd_declare context = { .what = WD_DECLARE_GENERATION, .generation = generation };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &context, .ctx_size_in = sizeof(context));

	return bpf_prog_test_run_opts(set->declare, &run) ? -errno : 0;
}

int wd_canary(const struct wd_set *set)
{
	struct wd_stats before, after;
	int err = wd_stats_read(set, &before);

	for (int try = 0; !err && try < CANARY_TRIES; try++) {
		char nothing[8] = "";

		syscall(SYS_bpf, WD_CANARY_COMMAND, nothing, sizeof(nothing));
		err = wd_stats_read(set, &after);
		if (!err && after.canaries > before.canaries && after.own_acts > before.own_acts)
			return 0;
		usleep(CANARY_PAUSE_US);
	}
	return err ? err : -ENOTRECOVERABLE;
}

/* The program behind a link. Returns an fd or -errno. */
static int open_program(int link)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	int fd;

	if (bpf_obj_get_info_by_fd(link, &info, &len))
		return -errno;
	fd = bpf_prog_get_fd_by_id(info.prog_id);
	return fd < 0 ? -errno : fd;
}

int wd_declare_skipped(const struct wd_set *set)
{
	struct wd_declare context = {};
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &context, .ctx_size_in = sizeof(context));

	for (int i = 0; i < WD_HOOKS; i++) {
		_cleanup_fd_ int fd = -1;
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);

		if (set->hook[i] < 0)
			continue;
		fd = open_program(set->hook[i]);
		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
			return fd < 0 ? fd : -errno;
		context.skipped += info.recursion_misses;
	}
	if (context.skipped == 0)
		return 0;
	return bpf_prog_test_run_opts(set->declare, &run) ? -errno : 0;
}

/* The value is the generation that listed it: what an earlier one listed is swept away. */
static int own(const struct wd_set *set, __u32 kind, __u32 id)
{
	struct wd_own_key key = { .kind = kind, .id = id };

	return bpf_map_update_elem(set->map[WD_MAP_OWN], &key, &set->generation, BPF_ANY) ?
		       -errno : 0;
}

static int own_map(const struct wd_set *set, int fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	return own(set, WD_OBJECT_MAP, info.id);
}

/* A program brings maps that have no pin: its constants, its variables, the windows. */
static int own_prog(const struct wd_set *set, __u32 id)
{
	_cleanup_fd_ int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	__u32 maps[64], len = sizeof(info);
	int err;

	info.map_ids = (uintptr_t)maps;
	info.nr_map_ids = WD_COUNT(maps);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	err = own(set, WD_OBJECT_PROG, id);
	for (__u32 i = 0; !err && i < info.nr_map_ids && i < WD_COUNT(maps); i++)
		err = own(set, WD_OBJECT_MAP, maps[i]);
	return err;
}

static int own_link(const struct wd_set *set, int fd)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	int err;

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	err = own(set, WD_OBJECT_LINK, info.id);
	return err ? err : own_prog(set, info.prog_id);
}

static int own_prog_fd(const struct wd_set *set, int fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	return own_prog(set, info.id);
}

int wd_own_objects(const struct wd_set *set)
{
	int err = 0;

	for (int i = 0; !err && i < WD_MAPS; i++)
		err = own_map(set, set->map[i]);
	for (int i = 0; !err && i < WD_HOOKS; i++)
		if (set->hook[i] >= 0)
			err = own_link(set, set->hook[i]);
	for (int i = 0; !err && i < WD_ITERATORS; i++)
		err = own_link(set, set->iterator[i]);
	if (!err)
		err = own_link(set, set->baseline);
	if (!err)
		err = own_prog_fd(set, set->resolve);
	if (!err)
		err = own_prog_fd(set, set->declare);
	if (!err && set->sysctl >= 0)
		err = own_prog_fd(set, set->sysctl);
	if (!err)
		err = own_prog_fd(set, set->decide);
	if (!err)
		err = own_prog_fd(set, set->tier);
	return err;
}

/* Looks at a key before it is deleted for the one after it: without it a walk begins again. */
int wd_own_sweep(const struct wd_set *set)
{
	int map = set->map[WD_MAP_OWN];
	struct wd_own_key key, next;
	bool more = !bpf_map_get_next_key(map, NULL, &next);

	while (more) {
		__u32 generation;

		key = next;
		more = !bpf_map_get_next_key(map, &key, &next);
		if (bpf_map_lookup_elem(map, &key, &generation))
			return -errno;
		if (generation != set->generation && bpf_map_delete_elem(map, &key))
			return -errno;
	}
	return 0;
}
