/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set of maps, programs and links that make up one load, and where they are pinned:
 *
 *	DIR/bpf/NAME			every map; `decide`, `tier`; the inventory iterators
 *	DIR/bpf/generation-N/NAME	what belongs to one build of the programs: their links, the
 *					baseline iterator, `resolve`, `declare`, `guard_sysctl`
 *
 * Two generations can be there at once; the one that config names is the one that acts.
 */
#ifndef WARDEN_SET_H
#define WARDEN_SET_H

#include "hooks.h"

#include <sys/types.h>

/* The rings come first, numbered as in enum wd_ring. */
enum wd_map {
	WD_MAP_RING_DENY,
	WD_MAP_RING_OBJECT,
	WD_MAP_RING_BULK,
	WD_MAP_RING_CODE,
	WD_MAP_STATS,
	WD_MAP_COUNTERS,
	WD_MAP_SUBJECTS,
	WD_MAP_STATE,
	WD_MAP_GRANTS,
	WD_MAP_CONFIG,
	WD_MAP_LOADERS,
	WD_MAP_TASKS,
	WD_MAP_CALLS,
	WD_MAP_OWN,
	WD_MAP_REFLEXES,
	WD_MAP_OBJECTS,
	WD_MAP_KFUNCS,
	WD_MAP_SCANS,
	WD_MAP_RAISES,
	WD_MAP_OPERATORS,
	WD_MAP_NONCES,
	WD_MAP_HOOKED,
	WD_MAP_PLACES,
	WD_MAP_DOMAINS,
	WD_MAP_HOST,
	WD_MAP_ADMINS,
	WD_MAP_CODE,
	WD_MAPS,
};

enum wd_iterator {
	WD_ITERATOR_PROGS,
	WD_ITERATOR_MAPS,
	WD_ITERATOR_LINKS,
	WD_ITERATORS,
};

struct wd_pin {
	const char *name;
	mode_t mode;
};

extern const struct wd_pin WD_MAP_PINS[WD_MAPS];
extern const struct wd_pin WD_ITERATOR_PINS[WD_ITERATORS];

struct wd_set {
	__u32 generation;	       /* of the programs; 0: none */
	int map[WD_MAPS];
	int hook[WD_HOOKS];	       /* links; -1 for those of other modes and kernels */
	int iterator[WD_ITERATORS];    /* links */
	int baseline;		       /* link of iter/task */
	int resolve;		       /* program */
	int declare;		       /* program */
	int sysctl;		       /* program on the root cgroup; -1 in mode audit */
	int decide;		       /* program */
	int tier;		       /* program */
};

void wd_set_init(struct wd_set *set);
void wd_set_close(struct wd_set *set);
#define _cleanup_set_ __attribute__((cleanup(wd_set_close)))

/* Opens the pinned maps, all or none. Returns 0 or -errno. */
int wd_set_open_maps(const char *dir, struct wd_set *set);

/* The first map that is not pinned although a whole load is; NULL when there is none. */
const char *wd_set_lacks(const char *dir);

/* Opens what is pinned of a generation that runs in `mode`, all or none. Returns 0 or -errno. */
int wd_set_open_generation(const char *dir, __u32 generation, __u32 mode, struct wd_set *set);

/* Of hooks, in a few generations. */
#define WD_PROGRAMS_MAX (4 * WD_HOOKS)

/*
 * The programs on the hooks that are pinned, of any generation but `less` (0: of all): up to
 * `room` of them. Returns their number, or -errno of the last that could not be opened.
 */
int wd_set_list_programs(const char *dir, __u32 less, __u32 *ret_ids, int room);

/* Each returns 0 or -errno, with the path that failed in `ret_path` of PATH_MAX bytes. */
int wd_set_pin_maps(const char *dir, const struct wd_set *set, gid_t gid, char *ret_path);
int wd_set_pin_generation(const char *dir, __u32 generation, const struct wd_set *set,
			  char *ret_path);
int wd_set_pin_shared(const char *dir, const struct wd_set *set, gid_t gid, char *ret_path);

/* Gives what services may open to their group. Returns 0 or -errno. */
int wd_set_give(const char *dir, gid_t gid, char *ret_path);

/* Removes every generation but one (0: all). Returns 0 or -errno. */
int wd_set_drop_generations(const char *dir, __u32 keep);

/* Where a hook of a generation is pinned; `ret_path` has PATH_MAX bytes. */
void wd_set_hook_path(char *ret_path, const char *dir, __u32 generation, enum wd_hook hook);

int wd_config_read(const struct wd_set *set, struct wd_config *ret_config);
int wd_config_write(const struct wd_set *set, const struct wd_config *config);
int wd_stats_read(const struct wd_set *set, struct wd_stats *ret_stats);

#endif /* WARDEN_SET_H */
