/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three ways to come up, by what is pinned in DIR:
 *
 *	the same build, whole		adopt: refresh the policy, label, canary
 *	another build, same layout	load the new programs beside the old ones on the same maps,
 *					switch the generation, canary, then drop the old ones
 *	anything else			load and prove a new set, then replace what is pinned
 *
 * Whatever a crash left half done is the third case, or is dropped with the old generation.
 */
#include "load.h"

#include "apply.h"
#include "build.h"
#include "cleanup.h"
#include "place.h"
#include "prove.h"
#include "say.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

static int fail_canary(int err)
{
	if (err == -ENOTRECOVERABLE)
		return wd_fail(EX_PROTOCOL, "canary", "bpf(2)", 0,
			       "the programs are attached but do not run");
	return wd_fail(EX_OSERR, "canary", "bpf(2)", err, NULL);
}

/* The policy, the labels and the proof: what every way of coming up ends with. */
static int settle(const struct wd_set *set, enum wd_baseline mode)
{
	int err = wd_own_objects(set);

	if (err)
		return wd_fail(EX_OSERR, "list own objects", "own", err, NULL);
	err = wd_label_baseline(set, mode);
	if (err)
		return wd_fail(EX_OSERR, "label running tasks", "baseline", err, NULL);
	err = wd_canary(set);
	return err ? fail_canary(err) : EX_OK;
}

static int apply(const struct wd_set *set, struct wd_policy *policy, bool first)
{
	int err = wd_apply_policy(set, policy, first);

	return err ? wd_fail(EX_OSERR, "apply policy", "maps", err, NULL) : EX_OK;
}

static int take_role(const struct wd_set *set)
{
	int err = wd_give_role(set, getpid(), WD_ROLE_LOAD);

	return err ? wd_fail(EX_OSERR, "take own role", "tasks", err, NULL) : EX_OK;
}

static int start_config(const struct wd_set *set, __u32 generation)
{
	struct wd_config config = {
		.layout_version = WD_LAYOUT_VERSION,
		.mode = WD_MODE_AUDIT,
		.generation = generation,
	};
	int err;

	wd_build_hash(config.build);
	err = wd_config_write(set, &config);
	return err ? wd_fail(EX_OSERR, "write config", "config", err, NULL) : EX_OK;
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

static int load_fresh(const struct wd_options *options, gid_t gid, struct wd_policy *policy,
		      struct wd_set *set)
{
	_cleanup_build_ struct wd_build *build = NULL;
	int code = wd_build_load(options, 1, set, &build);

	if (!code)
		code = start_config(set, 1);
	if (!code)
		code = take_role(set);
	if (!code)
		code = apply(set, policy, true);
	if (!code)
		code = wd_build_attach(build, set);
	if (!code)
		code = settle(set, WD_BASELINE_FIRST);
	if (code)
		return code;
	/* The new set runs: only now does the old one go. */
	code = wd_bpffs_unmount(options->dir);
	if (!code)
		code = wd_bpffs_mount(options->dir, gid);
	return code ? code : pin_all(options->dir, gid, set, 1, true);
}

static int load_adopted(struct wd_policy *policy, struct wd_set *set)
{
	int code = take_role(set);

	if (!code)
		code = apply(set, policy, false);
	return code ? code : settle(set, WD_BASELINE_FRESH);
}

static int switch_generation(const struct wd_set *set, __u32 generation, const __u8 *build)
{
	struct wd_config config;
	int err = wd_config_read(set, &config);

	if (err)
		return err;
	config.generation = generation;
	memcpy(config.build, build, sizeof(config.build));
	return wd_config_write(set, &config);
}

static int load_upgraded(const struct wd_options *options, gid_t gid, struct wd_policy *policy,
			 const struct wd_config *before, struct wd_set *set)
{
	_cleanup_build_ struct wd_build *build = NULL;
	__u32 next = before->generation + 1;
	__u8 hash[WD_DIGEST_LEN];
	int code = take_role(set);

	wd_build_hash(hash);
	if (!code)
		code = wd_build_load(options, next, set, &build);
	if (!code)
		code = wd_build_attach(build, set);
	if (!code)
		code = pin_all(options->dir, gid, set, next, false);
	if (!code)
		code = apply(set, policy, false);
	if (!code && switch_generation(set, next, hash))
		code = wd_fail(EX_OSERR, "switch generation", "config", errno, NULL);
	if (!code)
		code = settle(set, WD_BASELINE_FRESH);
	if (code)
		switch_generation(set, before->generation, before->build);
	wd_set_drop_generations(options->dir, code ? before->generation : next);
	return code;
}

/* What is pinned decides; `set` gets the maps when they are to be kept. */
static enum wd_how look(const char *dir, struct wd_set *set, struct wd_config *ret_config)
{
	__u8 hash[WD_DIGEST_LEN];

	if (!wd_bpffs_is_mounted(dir) || wd_set_open_maps(dir, set))
		return WD_HOW_FRESH;
	if (!wd_build_fits(set) || wd_config_read(set, ret_config) ||
	    ret_config->layout_version != WD_LAYOUT_VERSION || ret_config->generation == 0) {
		wd_set_close(set);
		return WD_HOW_FRESH;
	}
	wd_build_hash(hash);
	if (memcmp(hash, ret_config->build, sizeof(hash)) ||
	    wd_set_open_generation(dir, ret_config->generation, set))
		return WD_HOW_UPGRADED;
	return WD_HOW_ADOPTED;
}

/* A ring that is kept keeps its size: its content is worth more than what was asked for. */
static void note_sizes(const struct wd_options *options, const struct wd_set *set)
{
	for (int i = 0; i < WD_RINGS; i++) {
		struct bpf_map_info info = {};
		__u32 len = sizeof(info);

		if (!options->ring_bytes[i] || bpf_obj_get_info_by_fd(set->map[i], &info, &len))
			continue;
		if (info.max_entries != options->ring_bytes[i])
			wd_note("%s: adopted with %u bytes: unload first to change that",
				WD_MAP_PINS[i].name, info.max_entries);
	}
}

static int bring_up(const struct wd_options *options, gid_t gid, struct wd_policy *policy,
		    struct wd_set *set, enum wd_how *ret_how)
{
	struct wd_config config = {};
	char path[PATH_MAX];
	int err, code;

	*ret_how = look(options->dir, set, &config);
	if (*ret_how == WD_HOW_FRESH)
		return load_fresh(options, gid, policy, set);
	code = wd_bpffs_mount(options->dir, gid);
	if (code)
		return code;
	err = wd_set_drop_generations(options->dir, config.generation);
	if (err)
		return wd_fail(EX_OSERR, "drop leftovers", options->dir, err, NULL);
	code = *ret_how == WD_HOW_UPGRADED ?
		       load_upgraded(options, gid, policy, &config, set) :
		       load_adopted(policy, set);
	if (code)
		return code;
	note_sizes(options, set);
	/* The group may be another one than last time. */
	err = wd_set_give(options->dir, gid, path);
	return err ? wd_fail(EX_OSERR, "give to group", path, err, NULL) : EX_OK;
}

int wd_load(const struct wd_options *options, gid_t gid, struct wd_policy *policy,
	    struct wd_set *set)
{
	enum wd_how how;
	int code = bring_up(options, gid, policy, set, &how);

	return code ? code : wd_report(options, gid, policy, set, how);
}

int wd_unload(const char *dir)
{
	static const char *const leftovers[] = { "load.json", "load.json.next" };
	char path[PATH_MAX];
	int code = wd_bpffs_unmount(dir);

	for (size_t i = 0; i < WD_COUNT(leftovers); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, leftovers[i]);
		if (unlink(path) && errno != ENOENT)
			code = wd_fail(EX_OSERR, "remove", path, errno, NULL);
	}
	snprintf(path, sizeof(path), "%s/app", dir);
	rmdir(path);
	return code;
}
