/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three ways to come up, by what is pinned in DIR:
 *
 *	the same build, whole		adopt: refresh the policy, label, canary
 *	another build or mode, same	load the new programs beside the old ones on the same maps,
 *	layout				switch the generation, canary, then drop the old ones
 *	pins are missing		load and prove a new set, then replace what is pinned
 *
 * Maps of another layout are left alone: a new set would begin without labels, and throw away what
 * the rings hold. Whatever a crash left half done is the third case, or is dropped with the old
 * generation.
 */
#include "load.h"

#include "apply.h"
#include "before.h"
#include "build.h"
#include "change.h"
#include "cleanup.h"
#include "mode.h"
#include "place.h"
#include "protect.h"
#include "prove.h"
#include "say.h"
#include "settle.h"
#include "source.h"
#include "upgrade.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static int start_config(const struct wd_set *set, __u32 mode, __u32 boot_revision)
{
	struct wd_config config = {
		.layout_version = WD_LAYOUT_VERSION,
		.mode = mode,
		.generation = 1,
		.boot_revision = boot_revision,
	};
	int err;

	wd_build_hash(mode, config.build);
	err = wd_config_write(set, &config);
	return err ? wd_fail(EX_OSERR, "write config", "config", err, NULL) : EX_OK;
}

static int pin_all(const char *dir, gid_t gid, const struct wd_set *set)
{
	char path[PATH_MAX];
	int err = wd_set_pin_generation(dir, 1, set, path);

	if (!err)
		err = wd_set_pin_maps(dir, set, gid, path);
	if (!err)
		err = wd_set_pin_shared(dir, set, gid, path);
	return err ? wd_fail(EX_OSERR, "pin", path, err, NULL) : EX_OK;
}

static int load_fresh(const struct wd_options *options, __u32 mode, gid_t gid,
		      struct wd_policy *policy, struct wd_set *set)
{
	_cleanup_build_ struct wd_build *build = NULL;
	static struct wd_before_list before;
	int err = wd_before_look(&before);
	int code = err ? wd_fail(EX_OSERR, "look what is attached", "bpf(2)", err, NULL) :
			 wd_build_load(options, mode, 1, set, &build);

	if (!code)
		code = start_config(set, mode, policy->boot_revision);
	if (!code)
		code = wd_take_role(set);
	if (!code)
		code = wd_apply_policy(set, policy, true);
	if (!code)
		code = wd_build_attach(build, set);
	if (code)
		return code;
	err = wd_begin_guard(set);
	code = err ? wd_fail(EX_OSERR, "begin", "config", err, NULL) :
		     wd_settle(set, WD_BASELINE_FIRST);
	if (code)
		return code;
	/* The new set runs: only now does the old one go. */
	err = wd_protect_end(options->dir, 0);
	if (err)
		wd_note("ftrace_enabled: %s: an earlier load keeps it", strerror(-err));
	code = wd_bpffs_unmount(options->dir);
	if (!code)
		code = wd_bpffs_mount(options->dir, gid);
	if (!code)
		code = pin_all(options->dir, gid, set);
	return code ? code : wd_before_tell(options->dir, set, &before);
}

/* What a file says of its own hash counts for nothing: sealed, the policy in force stays. */
static int check_sealed(const struct wd_options *options, const struct wd_config *config,
			const struct wd_policy *policy)
{
	const struct wd_policy_half *half = &config->policy[config->half % WD_POLICY_HALVES];

	if (!config->sealed || !memcmp(half->hash, policy->scalars.hash, sizeof(half->hash)))
		return EX_OK;
	return wd_fail(EX_NOPERM, "policy", options->policy, 0,
		       "sealed, and not the policy in force: warden-load apply --token");
}

/* The policy in force stays when it is sealed, or when that of early boot is older. */
static int load_adopted(const struct wd_config *config, struct wd_policy *policy,
			struct wd_set *set)
{
	int code = wd_keeps_policy(config, policy) ? EX_OK : wd_apply_policy(set, policy, false);

	return code ? code : wd_settle(set, WD_BASELINE_FRESH);
}

/* Nothing has been touched: what is loaded goes on. */
static int fail_layout(const char *dir, const char *differs)
{
	char advice[WD_LAYOUT_TEXT + 192];

	snprintf(advice, sizeof(advice),
		 "another layout is loaded, which goes on: %s; let the services store what the "
		 "rings hold, then warden-load unload and load: nothing is guarded in between",
		 differs);
	return wd_fail(EX_UNAVAILABLE, "upgrade", dir, 0, advice);
}

/*
 * Finds out whether what is pinned can be gone on with: then `set` has the maps. Pins that we may
 * not open are no reason to begin anew: it would throw the rings away, and the guard that refuses.
 */
static int can_keep(const char *dir, struct wd_set *set, struct wd_config *ret_config,
		    bool *ret_keep)
{
	int err = wd_bpffs_is_mounted(dir) ? wd_set_open_maps(dir, set) : -ENOENT;
	char differs[WD_LAYOUT_TEXT];

	*ret_keep = false;
	if (err == -EPERM || err == -EACCES)
		return wd_fail(EX_NOPERM, "open pins", dir, err,
			       "the guard in force knows another warden-load: have that one hand "
			       "over to this file (warden-load hand-over)");
	if (err && wd_set_lacks(dir)) {
		snprintf(differs, sizeof(differs), "map %s: is not there", wd_set_lacks(dir));
		return fail_layout(dir, differs);
	}
	if (err)
		return EX_OK;
	/* Before a call of ours is judged by the policy: to look at the maps takes some. */
	err = wd_give_role(set, getpid(), WD_ROLE_LOAD);
	if (!wd_build_fits(set, differs))
		return fail_layout(dir, differs);
	if (err)
		return wd_fail(EX_OSERR, "take own role", "tasks", err, NULL);
	err = wd_config_read(set, ret_config);
	if (err)
		return wd_fail(EX_OSERR, "read config", "config", err, NULL);
	if (ret_config->layout_version != WD_LAYOUT_VERSION) {
		snprintf(differs, sizeof(differs), "layout %u of records, of this build %u",
			 ret_config->layout_version, WD_LAYOUT_VERSION);
		return fail_layout(dir, differs);
	}
	/* A load that was stopped before anything of it acted. */
	*ret_keep = ret_config->generation != 0;
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
	int err, code = check_sealed(options, config, policy);

	if (!code)
		code = wd_bpffs_mount(options->dir, gid);
	if (code)
		return code;
	/* Sealed, what an upgrade has left is for the next one, with its token, to take away. */
	err = config->sealed ? 0 : wd_protect_end(options->dir, config->generation);
	if (!err && !config->sealed)
		err = wd_set_drop_generations(options->dir, config->generation);
	if (err)
		return wd_fail(EX_OSERR, "drop leftovers", options->dir, err, NULL);
	if (can_adopt(options->dir, mode, config, set)) {
		*ret_how = WD_HOW_ADOPTED;
		code = load_adopted(config, policy, set);
	} else {
		*ret_how = WD_HOW_UPGRADED;
		code = wd_upgrade(options, mode, gid, policy, config, set);
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
		wd_changes_write(options->dir, policy, set);
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
	wd_changes_write(options->dir, &policy, set);
	/* What runs already is a loader that this policy may be the first to name. */
	err = wd_label_baseline(set, WD_BASELINE_FRESH);
	if (err)
		wd_note("policy: in force, but what runs already is not labelled: %s",
			strerror(-err));
	report_again(options, &policy, set);
	return wd_source_tell(options->dir);
}
