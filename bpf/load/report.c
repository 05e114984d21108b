/* SPDX-License-Identifier: Apache-2.0 */
/* DIR/load.json: what a load did, for the services and for people. */
#include "cleanup.h"
#include "json.h"
#include "load.h"
#include "say.h"
#include "sha256.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static const char *const RING_NAMES[WD_ALL_RINGS] = { "deny", "object", "bulk", "code" };

static void read_boot_id(char ret_text[64])
{
	_cleanup_file_ FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	ret_text[0] = 0;
	if (file && fgets(ret_text, 64, file))
		ret_text[strcspn(ret_text, "\n")] = 0;
}

static void put_rings(struct wd_json *json, const struct wd_set *set)
{
	wd_json_open(json, "rings", '{');
	for (int i = 0; i < WD_ALL_RINGS; i++) {
		struct bpf_map_info info = {};
		__u32 len = sizeof(info);

		bpf_obj_get_info_by_fd(set->map[i], &info, &len);
		wd_json_open(json, RING_NAMES[i], '{');
		wd_json_number(json, "id", info.id);
		wd_json_number(json, "size", info.max_entries);
		wd_json_close(json, '}');
	}
	wd_json_close(json, '}');
}

/* How far the kernel's verifier had to go: the measure of how near a program is to its limit. */
static __u32 verified_instructions(__u32 program)
{
	_cleanup_fd_ int fd = bpf_prog_get_fd_by_id(program);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.verified_insns;
}

/* The links that are attached, by their numbers in the kernel. */
static void put_hooks(struct wd_json *json, const struct wd_set *set, __u32 mode)
{
	wd_json_open(json, "hooks", '[');
	for (int i = 0; i < WD_HOOKS; i++) {
		struct bpf_link_info info = {};
		__u32 len = sizeof(info);

		if (set->hook[i] < 0)
			continue;
		bpf_obj_get_info_by_fd(set->hook[i], &info, &len);
		wd_json_open(json, NULL, '{');
		wd_json_text(json, "name", WD_HOOK_SPECS[i].name);
		wd_json_text(json, "hook", wd_hook_section(i, mode));
		wd_json_number(json, "id", info.id);
		wd_json_number(json, "program", info.prog_id);
		wd_json_number(json, "verified_instructions",
			       verified_instructions(info.prog_id));
		wd_json_close(json, '}');
	}
	wd_json_close(json, ']');
}

/* Nothing is silently unenforced: what a mode can't, beside what it is. */
static void put_limits(struct wd_json *json, __u32 mode)
{
	static const struct {
		__u32 mode;
		const char *text;
	} limits[] = {
		{ WD_MODE_FMOD_RET, "preemption: the kernel skips a program of ours that another "
				    "task is in the middle of on the same CPU, and counts it" },
		{ WD_MODE_FMOD_RET, "no digest of executables: loaders are known by path alone, "
				    "and so is warden-load itself" },
		{ WD_MODE_FMOD_RET, "LD_PRELOAD is not kept from warden-load and adopted agents" },
		{ WD_MODE_SIGNAL, "only loads: their maker gets SIGKILL; all else is as in audit" },
		{ WD_MODE_SIGNAL, "a load whose attributes are changed during the call makes a "
				  "program, whose fd another process can have by then" },
		{ WD_MODE_SIGNAL, "root can detach it: it does not protect itself" },
		{ WD_MODE_AUDIT, "nothing is refused" },
		{ WD_MODE_AUDIT, "root can detach it: it does not protect itself" },
	};

	wd_json_open(json, "limits", '[');
	for (size_t i = 0; i < WD_COUNT(limits); i++)
		if (limits[i].mode == mode)
			wd_json_text(json, NULL, limits[i].text);
	wd_json_close(json, ']');
}

static void put_loaders(struct wd_json *json, const struct wd_policy *policy)
{
	wd_json_open(json, "loaders", '[');
	for (__u32 i = 0; i < policy->loaders_count; i++) {
		const struct wd_policy_loader *loader = &policy->loaders[i];

		wd_json_open(json, NULL, '{');
		wd_json_number(json, "index", loader->number);
		wd_json_text(json, "name", loader->name);
		wd_json_text(json, "kind", wd_loader_kind_name(loader->kind));
		wd_json_text(json, "path", loader->path);
		wd_json_text(json, "status", wd_loader_status_name(loader->status));
		wd_json_close(json, '}');
	}
	wd_json_close(json, ']');
}

static void put_code(struct wd_json *json, const struct wd_policy *policy)
{
	wd_json_open(json, "code", '[');
	for (__u32 i = 0; i < policy->code_count; i++) {
		wd_json_open(json, NULL, '{');
		wd_json_number(json, "loader", policy->code[i].loader);
		wd_json_text(json, "path", policy->code[i].path);
		wd_json_bool(json, "found", policy->code[i].found);
		wd_json_close(json, '}');
	}
	wd_json_close(json, ']');
}

static void put_domains(struct wd_json *json, const struct wd_policy *policy)
{
	wd_json_open(json, "bpffs", '[');
	for (__u32 i = 0; i < policy->domains_count; i++) {
		wd_json_open(json, NULL, '{');
		wd_json_text(json, "path", policy->domains[i].path);
		wd_json_bool(json, "found", policy->domains[i].found);
		wd_json_close(json, '}');
	}
	wd_json_close(json, ']');
}

static void put_all(FILE *out, const struct wd_policy *policy, const struct wd_set *set,
		    const struct wd_config *config, enum wd_how how)
{
	struct wd_json json = { .out = out };
	char text[2 * WD_DIGEST_LEN + 1], boot_id[64];

	read_boot_id(boot_id);
	wd_json_open(&json, NULL, '{');
	wd_json_text(&json, "schema", "warden.load/1");
	wd_json_text(&json, "boot_id", boot_id);
	wd_json_text(&json, "mode", wd_mode_name(config->mode));
	wd_json_number(&json, "layout", WD_LAYOUT_VERSION);
	wd_hex(config->build, WD_DIGEST_LEN, text);
	wd_json_text(&json, "build", text);
	wd_hex(policy->scalars.hash, WD_DIGEST_LEN, text);
	wd_json_text(&json, "policy", text);
	wd_json_number(&json, "generation", config->generation);
	wd_json_bool(&json, "adopted", how != WD_HOW_FRESH);
	wd_json_bool(&json, "upgraded", how == WD_HOW_UPGRADED);
	wd_json_bool(&json, "canary", true);
	put_limits(&json, config->mode);
	put_rings(&json, set);
	put_hooks(&json, set, config->mode);
	put_loaders(&json, policy);
	put_code(&json, policy);
	put_domains(&json, policy);
	wd_json_close(&json, '}');
	fputc('\n', out);
}

int wd_report(const struct wd_options *options, gid_t gid, const struct wd_policy *policy,
	      const struct wd_set *set, enum wd_how how)
{
	_cleanup_file_ FILE *file = NULL;
	char path[PATH_MAX], beside[PATH_MAX];
	struct wd_config config;
	int err = wd_config_read(set, &config);

	if (err)
		return wd_fail(EX_OSERR, "read config", "config", err, NULL);
	snprintf(path, sizeof(path), "%s/load.json", options->dir);
	snprintf(beside, sizeof(beside), "%s/load.json.next", options->dir);
	file = fopen(beside, "we");
	if (!file)
		return wd_fail(EX_CANTCREAT, "write", beside, errno, NULL);
	put_all(file, policy, set, &config, how);
	if (fflush(file) || fchown(fileno(file), 0, gid) || fchmod(fileno(file), 0640) ||
	    rename(beside, path))
		return wd_fail(EX_IOERR, "write", path, errno, NULL);
	if (options->json) {
		put_all(stdout, policy, set, &config, how);
		fflush(stdout);
	}
	return EX_OK;
}
