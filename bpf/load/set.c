/* SPDX-License-Identifier: Apache-2.0 */
/* Pins: names, modes, opening and closing. */
#include "set.h"

#include "cleanup.h"
#include "place.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* Who may open what: the group are the services. A ring's reader writes its consumer position. */
const struct wd_pin WD_MAP_PINS[WD_MAPS] = {
	[WD_MAP_RING_DENY] = { "ring_deny", 0660 },
	[WD_MAP_RING_OBJECT] = { "ring_object", 0660 },
	[WD_MAP_RING_BULK] = { "ring_bulk", 0660 },
	[WD_MAP_RING_CODE] = { "ring_code", 0660 },
	[WD_MAP_STATS] = { "stats", 0440 },
	[WD_MAP_COUNTERS] = { "counters", 0440 },
	[WD_MAP_SUBJECTS] = { "subjects", 0660 },
	[WD_MAP_STATE] = { "state", 0600 },
	[WD_MAP_GRANTS] = { "grants", 0600 },
	[WD_MAP_CONFIG] = { "config", 0600 },
	[WD_MAP_LOADERS] = { "loaders", 0600 },
	[WD_MAP_TASKS] = { "tasks", 0600 },
	[WD_MAP_CALLS] = { "calls", 0600 },
	[WD_MAP_OWN] = { "own", 0600 },
	[WD_MAP_REFLEXES] = { "reflexes", 0440 },
	[WD_MAP_OBJECTS] = { "objects", 0600 },
	[WD_MAP_KFUNCS] = { "kfuncs", 0600 },
	[WD_MAP_SCANS] = { "scans", 0600 },
	[WD_MAP_RAISES] = { "raises", 0600 },
	[WD_MAP_OPERATORS] = { "operators", 0600 },
	[WD_MAP_NONCES] = { "nonces", 0600 },
	[WD_MAP_HOOKED] = { "hooked", 0600 },
	[WD_MAP_PLACES] = { "places", 0600 },
	[WD_MAP_DOMAINS] = { "domains", 0600 },
	[WD_MAP_HOST] = { "host", 0660 },
	[WD_MAP_ADMINS] = { "admins", 0440 },
	[WD_MAP_CODE] = { "code", 0600 },
};

const struct wd_pin WD_ITERATOR_PINS[WD_ITERATORS] = {
	[WD_ITERATOR_PROGS] = { "inventory_progs", 0440 },
	[WD_ITERATOR_MAPS] = { "inventory_maps", 0440 },
	[WD_ITERATOR_LINKS] = { "inventory_links", 0440 },
};

#define GENERATION_PREFIX "generation-"

static void fill(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fds[i] = -1;
}

static void close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		wd_close_fd(&fds[i]);
}

void wd_set_init(struct wd_set *set)
{
	fill(set->map, WD_MAPS);
	fill(set->hook, WD_HOOKS);
	fill(set->iterator, WD_ITERATORS);
	set->generation = 0;
	set->baseline = set->resolve = set->declare = set->decide = set->tier = -1;
	set->sysctl = -1;
}

static void close_programs(struct wd_set *set)
{
	close_all(set->hook, WD_HOOKS);
	close_all(set->iterator, WD_ITERATORS);
	wd_close_fd(&set->baseline);
	wd_close_fd(&set->resolve);
	wd_close_fd(&set->declare);
	wd_close_fd(&set->sysctl);
	wd_close_fd(&set->decide);
	wd_close_fd(&set->tier);
}

void wd_set_close(struct wd_set *set)
{
	close_all(set->map, WD_MAPS);
	close_programs(set);
}

static void shared_path(char path[PATH_MAX], const char *dir, const char *name)
{
	snprintf(path, PATH_MAX, "%s/bpf/%s", dir, name);
}

static void generation_path(char path[PATH_MAX], const char *dir, __u32 generation,
			    const char *name)
{
	snprintf(path, PATH_MAX, "%s/bpf/" GENERATION_PREFIX "%u/%s", dir, generation, name);
}

void wd_set_hook_path(char *ret_path, const char *dir, __u32 generation, enum wd_hook hook)
{
	generation_path(ret_path, dir, generation, WD_HOOK_SPECS[hook].name);
}

static int open_shared(const char *dir, const char *name, int *ret_fd)
{
	char path[PATH_MAX];

	shared_path(path, dir, name);
	*ret_fd = bpf_obj_get(path);
	return *ret_fd < 0 ? -errno : 0;
}

int wd_set_open_maps(const char *dir, struct wd_set *set)
{
	int err = 0;

	for (int i = 0; !err && i < WD_MAPS; i++)
		err = open_shared(dir, WD_MAP_PINS[i].name, &set->map[i]);
	if (err)
		close_all(set->map, WD_MAPS);
	return err;
}

/* The iterators are pinned last: without them the load was not whole. */
const char *wd_set_lacks(const char *dir)
{
	char path[PATH_MAX];

	shared_path(path, dir, WD_ITERATOR_PINS[WD_ITERATORS - 1].name);
	if (access(path, F_OK))
		return NULL;
	for (int i = 0; i < WD_MAPS; i++) {
		shared_path(path, dir, WD_MAP_PINS[i].name);
		if (access(path, F_OK) && errno == ENOENT)
			return WD_MAP_PINS[i].name;
	}
	return NULL;
}

static int open_one(const char *dir, __u32 generation, const char *name, int *ret_fd)
{
	char path[PATH_MAX];

	generation_path(path, dir, generation, name);
	*ret_fd = bpf_obj_get(path);
	return *ret_fd < 0 ? -errno : 0;
}

int wd_set_open_generation(const char *dir, __u32 generation, __u32 mode, struct wd_set *set)
{
	int err = open_one(dir, generation, "resolve", &set->resolve);

	if (!err)
		err = open_one(dir, generation, "declare", &set->declare);
	if (!err)
		err = open_one(dir, generation, "baseline", &set->baseline);
	if (!err && wd_mode_guards(mode))
		err = open_one(dir, generation, "guard_sysctl", &set->sysctl);
	for (int i = 0; !err && i < WD_HOOKS; i++)
		if (wd_hook_is_wanted(i, mode))
			err = open_one(dir, generation, WD_HOOK_SPECS[i].name, &set->hook[i]);
	for (int i = 0; !err && i < WD_ITERATORS; i++)
		err = open_shared(dir, WD_ITERATOR_PINS[i].name, &set->iterator[i]);
	if (!err)
		err = open_shared(dir, "decide", &set->decide);
	if (!err)
		err = open_shared(dir, "tier", &set->tier);
	if (err)
		close_programs(set);
	else
		set->generation = generation;
	return err;
}

static int pin(int fd, const char *path, mode_t mode, gid_t gid)
{
	if (bpf_obj_pin(fd, path))
		return -errno;
	return chown(path, 0, gid) || chmod(path, mode) ? -errno : 0;
}

int wd_set_pin_maps(const char *dir, const struct wd_set *set, gid_t gid, char *ret_path)
{
	for (int i = 0; i < WD_MAPS; i++) {
		int err;

		shared_path(ret_path, dir, WD_MAP_PINS[i].name);
		err = pin(set->map[i], ret_path, WD_MAP_PINS[i].mode, gid);
		if (err)
			return err;
	}
	return 0;
}

static int pin_in_generation(const char *dir, __u32 generation, const char *name, int fd,
			     char *ret_path)
{
	generation_path(ret_path, dir, generation, name);
	return pin(fd, ret_path, 0600, 0);
}

int wd_set_pin_generation(const char *dir, __u32 generation, const struct wd_set *set,
			  char *ret_path)
{
	int err;

	generation_path(ret_path, dir, generation, "");
	if (mkdir(ret_path, 0700))
		return -errno;
	err = pin_in_generation(dir, generation, "resolve", set->resolve, ret_path);
	if (!err)
		err = pin_in_generation(dir, generation, "declare", set->declare, ret_path);
	if (!err)
		err = pin_in_generation(dir, generation, "baseline", set->baseline, ret_path);
	if (!err && set->sysctl >= 0)
		err = pin_in_generation(dir, generation, "guard_sysctl", set->sysctl, ret_path);
	for (int i = 0; !err && i < WD_HOOKS; i++)
		if (set->hook[i] >= 0)
			err = pin_in_generation(dir, generation, WD_HOOK_SPECS[i].name,
						set->hook[i], ret_path);
	return err;
}

/* Pins beside and renames over, so that a reader always finds one. */
static int pin_over(int fd, const char *dir, const struct wd_pin *as, gid_t gid, char *ret_path)
{
	char beside[PATH_MAX];
	int err;

	shared_path(ret_path, dir, as->name);
	shared_path(beside, dir, "next");
	unlink(beside);
	err = pin(fd, beside, as->mode, gid);
	if (err)
		return err;
	return rename(beside, ret_path) ? -errno : 0;
}

int wd_set_pin_shared(const char *dir, const struct wd_set *set, gid_t gid, char *ret_path)
{
	static const struct wd_pin decide = { "decide", 0600 }, tier = { "tier", 0600 };
	int err = pin_over(set->decide, dir, &decide, gid, ret_path);

	if (!err)
		err = pin_over(set->tier, dir, &tier, gid, ret_path);
	for (int i = 0; !err && i < WD_ITERATORS; i++)
		err = pin_over(set->iterator[i], dir, &WD_ITERATOR_PINS[i], gid, ret_path);
	return err;
}

int wd_set_give(const char *dir, gid_t gid, char *ret_path)
{
	for (int i = 0; i < WD_MAPS; i++) {
		shared_path(ret_path, dir, WD_MAP_PINS[i].name);
		if (chown(ret_path, 0, gid))
			return -errno;
	}
	for (int i = 0; i < WD_ITERATORS; i++) {
		shared_path(ret_path, dir, WD_ITERATOR_PINS[i].name);
		if (chown(ret_path, 0, gid))
			return -errno;
	}
	return 0;
}

static int drop(int dir_fd, const char *name)
{
	_cleanup_fd_ int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 ? -errno : wd_empty_directory(fd);

	if (err)
		return err;
	return unlinkat(dir_fd, name, AT_REMOVEDIR) ? -errno : 0;
}

int wd_set_drop_generations(const char *dir, __u32 keep)
{
	_cleanup_dir_ DIR *pins = NULL;
	char path[PATH_MAX], kept[64];
	struct dirent *entry;
	int err = 0;

	shared_path(path, dir, "");
	snprintf(kept, sizeof(kept), GENERATION_PREFIX "%u", keep);
	pins = opendir(path);
	if (!pins)
		return -errno;
	while (!err && (entry = readdir(pins))) {
		if (strncmp(entry->d_name, GENERATION_PREFIX, strlen(GENERATION_PREFIX)))
			continue;
		if (strcmp(entry->d_name, kept))
			err = drop(dirfd(pins), entry->d_name);
	}
	return err;
}

/* The number of the program on a pinned hook. Returns 0 or -errno; -ENOENT when there is no pin. */
static int find_program(const char *path, __u32 *ret_id)
{
	_cleanup_fd_ int fd = bpf_obj_get(path);
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	*ret_id = info.prog_id;
	return 0;
}

int wd_set_list_programs(const char *dir, __u32 less, __u32 *ret_ids, int room)
{
	_cleanup_dir_ DIR *pins = NULL;
	char path[PATH_MAX], left_out[64];
	struct dirent *entry;
	int count = 0, err = 0;

	shared_path(path, dir, "");
	snprintf(left_out, sizeof(left_out), GENERATION_PREFIX "%u", less);
	pins = opendir(path);
	while (pins && (entry = readdir(pins))) {
		if (strncmp(entry->d_name, GENERATION_PREFIX, strlen(GENERATION_PREFIX)) ||
		    !strcmp(entry->d_name, left_out))
			continue;
		for (int i = 0; i < WD_HOOKS && count < room; i++) {
			int one;

			snprintf(path, sizeof(path), "%s/bpf/%s/%s", dir, entry->d_name,
				 WD_HOOK_SPECS[i].name);
			one = find_program(path, &ret_ids[count]);
			count += one == 0;
			err = one && one != -ENOENT ? one : err;
		}
	}
	return err ? err : count;
}

/* Of another layout it may be larger than what we have room for. */
int wd_config_read(const struct wd_set *set, struct wd_config *ret_config)
{
	struct bpf_map_info info = {};
	__u32 zero = 0, len = sizeof(info);

	if (bpf_obj_get_info_by_fd(set->map[WD_MAP_CONFIG], &info, &len))
		return -errno;
	if (info.value_size != sizeof(*ret_config))
		return -EPROTO;
	return bpf_map_lookup_elem(set->map[WD_MAP_CONFIG], &zero, ret_config) ? -errno : 0;
}

int wd_config_write(const struct wd_set *set, const struct wd_config *config)
{
	__u32 zero = 0;

	return bpf_map_update_elem(set->map[WD_MAP_CONFIG], &zero, config, BPF_ANY) ? -errno : 0;
}

int wd_stats_read(const struct wd_set *set, struct wd_stats *ret_stats)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(set->map[WD_MAP_STATS], &zero, ret_stats) ? -errno : 0;
}
