/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three ways to come up, by what is pinned in DIR:
 *
 *	the same build, whole		adopt: refresh the policy, label, canary
 *	another build or mode, same	load the new programs beside the old ones on the same maps,
 *	layout				switch the generation, canary, then drop the old ones
 *	anything else			load and prove a new set, then replace what is pinned
 *
 * Whatever a crash left half done is the third case, or is dropped with the old generation.
 */
#include "load.h"

#include "apply.h"
#include "build.h"
#include "cleanup.h"
#include "forget.h"
#include "mode.h"
#include "place.h"
#include "protect.h"
#include "prove.h"
#include "say.h"
#include "sha256.h"
#include "source.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static int fail_canary(int err)
{
	if (err == -ENOTRECOVERABLE)
		return wd_fail(EX_PROTOCOL, "canary", "bpf(2)", 0,
			       "the programs are attached but do not run");
	return wd_fail(EX_OSERR, "canary", "bpf(2)", err, NULL);
}

/* From now on this file, run by root, is one of ours: the guard can't keep it out. */
static int know_self(const struct wd_set *set)
{
	_cleanup_fd_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct wd_config config;
	int err = fd < 0 ? -errno : wd_config_read(set, &config);

	if (!err)
		err = wd_key_of(set, fd, &config.self);
	if (!err)
		err = wd_sha256_fd(fd, config.self_digest);
	return err ? err : wd_config_write(set, &config);
}

/* The policy, the labels and the proof: what every way of coming up ends with. */
static int settle(const struct wd_set *set, enum wd_baseline mode)
{
	int err = wd_own_objects(set);

	if (err)
		return wd_fail(EX_OSERR, "list own objects", "own", err, NULL);
	err = know_self(set);
	if (err)
		return wd_fail(EX_OSERR, "know own file", "/proc/self/exe", err, NULL);
	err = wd_label_baseline(set, mode);
	if (err)
		return wd_fail(EX_OSERR, "label running tasks", "baseline", err, NULL);
	err = wd_canary(set);
	return err ? fail_canary(err) : EX_OK;
}

static int take_role(const struct wd_set *set)
{
	int err = wd_give_role(set, getpid(), WD_ROLE_LOAD);

	return err ? wd_fail(EX_OSERR, "take own role", "tasks", err, NULL) : EX_OK;
}

static int start_config(const struct wd_set *set, __u32 mode, __u32 generation)
{
	struct wd_config config = {
		.layout_version = WD_LAYOUT_VERSION,
		.mode = mode,
		.generation = generation,
	};
	int err;

	wd_build_hash(mode, config.build);
	err = wd_config_write(set, &config);
	return err ? wd_fail(EX_OSERR, "write config", "config", err, NULL) : EX_OK;
}

/*
 * From here on every program is scanned. Called when that is so already: what was loaded before, a
 * load that is under way among it, is taken as it is. What went while no guard saw it is forgotten.
 */
static int begin_guard(const struct wd_set *set)
{
	struct wd_config config;
	struct timespec now;
	int err = wd_config_read(set, &config);

	if (err)
		return err;
	if (config.mode != WD_MODE_LSM || config.guard_boot_ns)
		return 0;
	clock_gettime(CLOCK_BOOTTIME, &now);
	config.guard_boot_ns = (__u64)now.tv_sec * 1000000000 + now.tv_nsec;
	err = wd_config_write(set, &config);
	return err ? err : wd_forget_gone(set, config.guard_boot_ns);
}

static int pin_all(const char *dir, gid_t gid, const struct wd_set *set, __u32 generation,
		   bool maps_too)
{
	char path[PATH_MAX];
	int err = wd_set_pin_generation(dir, generation, set, path);

	if (!err && maps_too)
		err = wd_set_pin_maps(dir, set, gid, path);
	if (!err)
		err = wd_set_pin_shared(dir, set, gid, path);
	return err ? wd_fail(EX_OSERR, "pin", path, err, NULL) : EX_OK;
}

static int load_fresh(const struct wd_options *options, __u32 mode, gid_t gid,
		      struct wd_policy *policy, struct wd_set *set)
{
	_cleanup_build_ struct wd_build *build = NULL;
	int err, code = wd_build_load(options, mode, 1, set, &build);

	if (!code)
		code = start_config(set, mode, 1);
	if (!code)
		code = take_role(set);
	if (!code)
		code = wd_apply_policy(set, policy, true);
	if (!code)
		code = wd_build_attach(build, set);
	if (code)
		return code;
	err = begin_guard(set);
	code = err ? wd_fail(EX_OSERR, "begin", "config", err, NULL) :
		     settle(set, WD_BASELINE_FIRST);
	if (code)
		return code;
	/* The new set runs: only now does the old one go. */
	err = wd_protect_end(options->dir, 0);
	if (err)
		wd_note("ftrace_enabled: %s: an earlier load keeps it", strerror(-err));
	code = wd_bpffs_unmount(options->dir);
	if (!code)
		code = wd_bpffs_mount(options->dir, gid);
	return code ? code : pin_all(options->dir, gid, set, 1, true);
}

static int load_adopted(struct wd_policy *policy, struct wd_set *set)
{
	int code = wd_apply_policy(set, policy, false);

	return code ? code : settle(set, WD_BASELINE_FRESH);
}

/* Lets the programs of `to` act. A guard that begins with it has scanned nothing before. */
static int switch_to(const struct wd_set *set, const struct wd_config *to)
{
	struct wd_config config;
	int err = wd_config_read(set, &config);

	if (err)
		return err;
	config.generation = to->generation;
	config.mode = to->mode;
	config.guard_boot_ns = to->guard_boot_ns;
	memcpy(config.build, to->build, sizeof(config.build));
	err = wd_config_write(set, &config);
	return err ? err : begin_guard(set);
}

/* The new programs act, and are seen to; else the old ones act again, as they began. */
static int take_over(const struct wd_set *set, const struct wd_config *before,
		     const struct wd_config *next)
{
	struct wd_config back = *before;
	int err = switch_to(set, next);
	int code = err ? wd_fail(EX_OSERR, "switch generation", "config", err, NULL) :
			 settle(set, WD_BASELINE_FRESH);

	if (!code)
		return EX_OK;
	/* Nobody knows whether the new ones scanned: what was loaded meanwhile is as it is. */
	back.guard_boot_ns = 0;
	err = switch_to(set, &back);
	return err ? wd_fail(EX_OSERR, "switch back", "config", err, NULL) : code;
}

static int load_upgraded(const struct wd_options *options, __u32 mode, gid_t gid,
			 struct wd_policy *policy, const struct wd_config *before,
			 struct wd_set *set)
{
	_cleanup_build_ struct wd_build *build = NULL;
	struct wd_config next = { .generation = before->generation + 1, .mode = mode };
	int code = wd_build_load(options, mode, next.generation, set, &build);

	wd_build_hash(mode, next.build);
	if (before->mode == WD_MODE_LSM && mode == WD_MODE_LSM)
		next.guard_boot_ns = before->guard_boot_ns;
	if (!code)
		code = wd_build_attach(build, set);
	if (!code)
		code = pin_all(options->dir, gid, set, next.generation, false);
	if (!code)
		code = wd_apply_policy(set, policy, false);
	if (!code)
		code = take_over(set, before, &next);
	wd_protect_end(options->dir, code ? before->generation : next.generation);
	wd_set_drop_generations(options->dir, code ? before->generation : next.generation);
	return code;
}

/*
 * Finds out whether what is pinned can be gone on with: then `set` has the maps. Pins that we may
 * not open are no reason to begin anew: it would throw the rings away, and the guard that refuses.
 */
static int can_keep(const char *dir, struct wd_set *set, struct wd_config *ret_config,
		    bool *ret_keep)
{
	int err = wd_bpffs_is_mounted(dir) ? wd_set_open_maps(dir, set) : -ENOENT;

	*ret_keep = false;
	if (err == -EPERM || err == -EACCES)
		return wd_fail(EX_NOPERM, "open pins", dir, err,
			       "the guard in force refuses this caller: warden-load unload first, "
			       "which it can't refuse, or run this as a loader that may do it");
	if (err)
		return EX_OK;
	*ret_keep = wd_build_fits(set) && !wd_config_read(set, ret_config) &&
		    ret_config->layout_version == WD_LAYOUT_VERSION && ret_config->generation != 0;
	if (!*ret_keep)
		wd_set_close(set);
	return EX_OK;
}

/* Opens the programs that act when they are of this build and mode, and whole. */
static bool can_adopt(const char *dir, __u32 mode, const struct wd_config *config,
		      struct wd_set *set)
{
	__u8 hash[WD_DIGEST_LEN];

	wd_build_hash(mode, hash);
	return config->mode == mode && !memcmp(hash, config->build, sizeof(hash)) &&
	       !wd_set_open_generation(dir, config->generation, mode, set);
}

/* A ring that is kept keeps its size: its content is worth more than what was asked for. */
static void note_sizes(const struct wd_options *options, const struct wd_set *set)
{
	for (int i = 0; i < WD_ALL_RINGS; i++) {
		struct bpf_map_info info = {};
		__u32 len = sizeof(info);

		if (!options->ring_bytes[i] || bpf_obj_get_info_by_fd(set->map[i], &info, &len))
			continue;
		if (info.max_entries != options->ring_bytes[i])
			wd_note("%s: adopted with %u bytes: unload first to change that",
				WD_MAP_PINS[i].name, info.max_entries);
	}
}

/* On the maps that are there, which `set` has; the caller's calls count as ours already. */
static int go_on(const struct wd_options *options, __u32 mode, gid_t gid,
		 struct wd_policy *policy, const struct wd_config *config, struct wd_set *set,
		 enum wd_how *ret_how)
{
	char path[PATH_MAX];
	int err, code = wd_bpffs_mount(options->dir, gid);

	if (code)
		return code;
	err = wd_set_drop_generations(options->dir, config->generation);
	if (err)
		return wd_fail(EX_OSERR, "drop leftovers", options->dir, err, NULL);
	if (can_adopt(options->dir, mode, config, set)) {
		*ret_how = WD_HOW_ADOPTED;
		code = load_adopted(policy, set);
	} else {
		*ret_how = WD_HOW_UPGRADED;
		code = load_upgraded(options, mode, gid, policy, config, set);
	}
	if (code)
		return code;
	note_sizes(options, set);
	err = wd_own_sweep(set);
	if (err)
		return wd_fail(EX_OSERR, "list own objects", "own", err, NULL);
	/* The group may be another one than last time. */
	err = wd_set_give(options->dir, gid, path);
	return err ? wd_fail(EX_OSERR, "give to group", path, err, NULL) : EX_OK;
}

static int bring_up(const struct wd_options *options, gid_t gid, struct wd_policy *policy,
		    struct wd_set *set, enum wd_how *ret_how)
{
	struct wd_config config = {};
	bool keep;
	int code = can_keep(options->dir, set, &config, &keep);
	__u32 mode;

	/* First of all: what is tried for the mode is no use of BPF that anybody must judge. */
	if (!code && keep)
		code = take_role(set);
	if (!code)
		code = wd_mode_choose(options->mode, &mode);
	if (code)
		return code;
	if (keep)
		return go_on(options, mode, gid, policy, &config, set, ret_how);
	*ret_how = WD_HOW_FRESH;
	return load_fresh(options, mode, gid, policy, set);
}

int wd_load(const struct wd_options *options, gid_t gid, struct wd_policy *policy,
	    struct wd_set *set)
{
	_cleanup_fd_ int lock = -1;
	enum wd_how how;
	int code = wd_place_request(options->dir, &lock);

	if (!code)
		code = bring_up(options, gid, policy, set, &how);
	if (!code)
		code = wd_protect_begin(options->dir, set);
	return code ? code : wd_report(options, gid, policy, set, how);
}

/* The group of load.json is the services', whichever it was. */
static void report_again(const struct wd_options *options, const struct wd_policy *policy,
			 const struct wd_set *set)
{
	char path[PATH_MAX];
	struct stat info;

	snprintf(path, sizeof(path), "%s/load.json", options->dir);
	if (stat(path, &info))
		return wd_note("%s: %s: not written", path, strerror(errno));
	wd_report(options, info.st_gid, policy, set, WD_HOW_ADOPTED);
}

int wd_load_policy(const struct wd_options *options, const struct wd_set *set)
{
	static struct wd_policy policy;
	int err, code = wd_source_check(options->policy);

	if (!code)
		code = wd_source_check(options->source);
	if (!code)
		code = wd_policy_read(options->policy, &policy);
	if (!code)
		code = wd_source_name(options->dir, options->source);
	if (!code)
		code = wd_apply_policy(set, &policy, false);
	if (code)
		return code;
	/* What runs already is a loader that this policy may be the first to name. */
	err = wd_label_baseline(set, WD_BASELINE_FRESH);
	if (err)
		wd_note("policy: in force, but what runs already is not labelled: %s",
			strerror(-err));
	report_again(options, &policy, set);
	return wd_source_tell(options->dir);
}
