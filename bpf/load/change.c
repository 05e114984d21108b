/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path only selects the file to look at. What is kept was put there by root, and for as long as
 * it is kept for a time only that very content is the loader.
 */
#include "change.h"

#include "apply.h"
#include "cleanup.h"
#include "json.h"
#include "place.h"
#include "prove.h"
#include "raise.h"
#include "say.h"
#include "sha256.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define NS_PER_S 1000000000ULL
#define NS_PER_MS 1000000ULL
#define LOOK_EVERY_MS 1000

static const char *const STATES[] = {
	[WD_FILE_LISTED] = "listed", [WD_FILE_KEPT] = "kept", [WD_FILE_DENIED] = "denied",
	[WD_FILE_ENDED] = "ended",   [WD_FILE_GONE] = "gone",
};

static const char *const TEXTS[] = {
	[WD_FILE_LISTED] = "is one that the policy lists",
	[WD_FILE_KEPT] = "is another than the policy was applied to: kept",
	[WD_FILE_DENIED] = "is another than the policy was applied to: no loader",
	[WD_FILE_ENDED] = "was kept for its time: no loader any more",
	[WD_FILE_GONE] = "is gone",
};

/* What is at a path now. */
struct found {
	struct stat info;
	__u8 digest[WD_DIGEST_LEN];
	struct wd_exe_key key;
	struct wd_loader value;
	struct wd_loader_half *half; /* the one in force */
};

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       same_time(&a->st_mtim, &b->st_mtim) && same_time(&a->st_ctim, &b->st_ctim);
}

/* False when there is no file to look at. */
static bool find(const struct wd_set *set, __u32 half, const char *path, struct found *ret_found)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	memset(ret_found, 0, sizeof(*ret_found));
	ret_found->half = &ret_found->value.half[half];
	if (fd < 0 || fstat(fd, &ret_found->info) || !S_ISREG(ret_found->info.st_mode) ||
	    wd_sha256_fd(fd, ret_found->digest) || wd_key_of(set, fd, &ret_found->key))
		return false;
	if (bpf_map_lookup_elem(set->map[WD_MAP_LOADERS], &ret_found->key, &ret_found->value))
		memset(&ret_found->value, 0, sizeof(ret_found->value));
	return true;
}

static bool is_in_force(const struct found *found)
{
	return found->half->index &&
	       (!found->half->has_digest ||
		!memcmp(found->half->digest, found->digest, WD_DIGEST_LEN));
}

static void say(const struct wd_set *set, struct wd_watched *file)
{
	const struct wd_policy_loader *loader = file->line;
	struct wd_declare context = {
		.what = WD_DECLARE_RAISED,
		.raised = { .kind = WD_SAID_FILE,
			    .action = file->said,
			    .subject = { .kind = WD_SUBJECT_LOADER, .id = loader->number },
			    .until_boot_ns = file->said == WD_FILE_KEPT ? file->until_boot_ns : 0 },
	};
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &context, .ctx_size_in = sizeof(context));
	size_t len = strlen(loader->path), room = sizeof(context.raised.reason) - 1;

	if (file->said != WD_FILE_GONE)
		memcpy(context.raised.id, file->digest, WD_DIGEST_LEN);
	strcpy(context.raised.author, loader->name);
	/* Of a long path its end tells more. */
	strcpy(context.raised.reason, loader->path + (len > room ? len - room : 0));
	wd_note("loader %s: %s %s", loader->name, loader->path, TEXTS[file->said]);
	if (bpf_prog_test_run_opts(set->declare, &run))
		wd_note("loader %s: not recorded: %s", loader->name, strerror(errno));
}

/* What the file that is there comes to by the policy; `want` is filled for what is the loader. */
static enum wd_said_file judge(const struct wd_watched *file, const struct found *found,
			       struct wd_loader_half *want)
{
	const struct wd_policy_loader *loader = file->line, *match;

	match = loader->has_sha256 ? wd_loader_listed(file->policy, loader->path, found->digest) :
	      !memcmp(found->digest, file->accepted, WD_DIGEST_LEN) ? loader : NULL;
	wd_loader_fill(match ? match : loader, want);
	if (match)
		return WD_FILE_LISTED;
	if (!loader->keep_s || file->over || !wd_may_be_kept(&found->info))
		return WD_FILE_DENIED;
	if (loader->keep_s != WD_KEEP_ALWAYS) {
		want->until_boot_ns = file->until_boot_ns;
		if (!want->until_boot_ns)
			want->until_boot_ns = wd_boot_ns() + loader->keep_s * NS_PER_S;
	}
	if (loader->has_sha256 || want->until_boot_ns) {
		want->has_digest = 1;
		memcpy(want->digest, found->digest, sizeof(want->digest));
	}
	return WD_FILE_KEPT;
}

/* So that a pass over what runs already labels tasks of the one that is new, and no others. */
static int age_all(int map, __u32 half)
{
	struct wd_exe_key key, *last = NULL;

	for (int i = 0; i < WD_MAX_LOADERS * WD_POLICY_HALVES; i++, last = &key) {
		struct wd_loader value;

		if (bpf_map_get_next_key(map, last, &key))
			return 0;
		if (bpf_map_lookup_elem(map, &key, &value) || !value.half[half].fresh)
			continue;
		value.half[half].fresh = 0;
		if (bpf_map_update_elem(map, &key, &value, BPF_EXIST))
			return -errno;
	}
	return 0;
}

/* The file is the loader from now on, and what it runs already. Returns 0 or -errno. */
static int admit(const struct wd_set *set, __u32 half, struct found *found,
		 const struct wd_loader_half *want)
{
	int map = set->map[WD_MAP_LOADERS], err = age_all(map, half);

	if (err)
		return err;
	*found->half = *want;
	found->half->fresh = 1;
	if (bpf_map_update_elem(map, &found->key, &found->value, BPF_ANY))
		return -errno;
	return wd_label_baseline(set, WD_BASELINE_FRESH);
}

/* The same inode may have been the loader with another content. Returns 0 or -errno. */
static int shut_out(const struct wd_set *set, struct found *found)
{
	if (!found->half->index)
		return 0;
	memset(found->half, 0, sizeof(*found->half));
	if (bpf_map_update_elem(set->map[WD_MAP_LOADERS], &found->key, &found->value, BPF_EXIST))
		return -errno;
	return 0;
}

static void note_gone(const struct wd_set *set, struct wd_watched *file)
{
	bool was_there = file->seen.st_ino != 0;

	file->looked = true;
	memset(&file->seen, 0, sizeof(file->seen));
	if (!was_there)
		return;
	file->said = WD_FILE_GONE;
	say(set, file);
}

/* As the policy found it, when it was applied: of this nothing is said. */
static bool is_as_applied(struct wd_watched *file, const struct found *found)
{
	if (file->looked || !is_in_force(found))
		return false;
	file->until_boot_ns = found->half->until_boot_ns;
	if (file->until_boot_ns)
		return false;
	memcpy(file->accepted, found->digest, WD_DIGEST_LEN);
	return true;
}

static bool only_touched(const struct wd_watched *file, const struct found *found)
{
	return file->looked && is_in_force(found) &&
	       !memcmp(file->digest, found->digest, WD_DIGEST_LEN);
}

static void take_up(const struct wd_set *set, __u32 half, struct wd_watched *file,
		    struct found *found)
{
	struct wd_loader_half want;
	bool nothing_new = is_as_applied(file, found) || only_touched(file, found);
	int err = 0;

	file->seen = found->info;
	file->looked = true;
	memcpy(file->digest, found->digest, WD_DIGEST_LEN);
	if (nothing_new)
		return;
	file->said = judge(file, found, &want);
	if (file->said == WD_FILE_KEPT)
		file->until_boot_ns = want.until_boot_ns;
	if (file->said == WD_FILE_DENIED)
		err = shut_out(set, found);
	else if (!is_in_force(found))
		err = admit(set, half, found, &want);
	if (err) {
		wd_note("loader %s: %s: not taken up: %s", file->line->name,
			file->line->path, strerror(-err));
		file->said = WD_FILE_DENIED;
	}
	say(set, file);
}

static bool is_over(const struct wd_watched *file)
{
	return file->said == WD_FILE_KEPT && file->until_boot_ns &&
	       file->until_boot_ns <= wd_boot_ns();
}

/* True when something was said. */
static bool look_at(const struct wd_set *set, __u32 half, struct wd_watched *file)
{
	const char *path = file->line->path;
	__u32 before = file->said;
	struct found found;
	struct stat info;

	if (is_over(file)) {
		file->said = WD_FILE_ENDED;
		file->over = true;
		say(set, file);
		return true;
	}
	if (stat(path, &info))
		memset(&info, 0, sizeof(info));
	if (file->looked && same_file(&info, &file->seen))
		return false;
	if (!info.st_ino || !find(set, half, path, &found))
		note_gone(set, file);
	else
		take_up(set, half, file, &found);
	return file->said != before || file->said != 0;
}

static bool is_told_of(const struct wd_watched *file)
{
	return file->said && file->said != WD_FILE_LISTED;
}

/* DIR/changes.json, for people: the files that are not what the policy was applied to. */
static int write_changes(const struct wd_changes *changes)
{
	char path[PATH_MAX], beside[PATH_MAX], digest[2 * WD_DIGEST_LEN + 1];
	_cleanup_file_ FILE *out = NULL;
	struct wd_json json = {};

	snprintf(path, sizeof(path), "%s/changes.json", changes->dir);
	snprintf(beside, sizeof(beside), "%s/changes.json.next", changes->dir);
	out = fopen(beside, "we");
	if (!out)
		return -errno;
	json.out = out;
	wd_json_open(&json, NULL, '{');
	wd_json_text(&json, "schema", "warden.changes/1");
	wd_json_open(&json, "files", '[');
	for (__u32 i = 0; i < changes->count; i++) {
		const struct wd_watched *file = &changes->files[i];

		if (!is_told_of(file))
			continue;
		wd_hex(file->digest, WD_DIGEST_LEN, digest);
		wd_json_open(&json, NULL, '{');
		wd_json_text(&json, "loader", file->line->name);
		wd_json_text(&json, "path", file->line->path);
		wd_json_text(&json, "state", STATES[file->said]);
		wd_json_text(&json, "sha256", digest);
		wd_json_number(&json, "until_boot_ms",
			       file->said == WD_FILE_KEPT ? file->until_boot_ns / NS_PER_MS : 0);
		wd_json_close(&json, '}');
	}
	wd_json_close(&json, ']');
	wd_json_close(&json, '}');
	fputc('\n', out);
	return fflush(out) || fchmod(fileno(out), 0644) || rename(beside, path) ? -errno : 0;
}

/* Nothing of it holds while another request writes to the same maps: a second later it does. */
static void look(struct wd_changes *changes, const struct wd_set *set)
{
	_cleanup_fd_ int lock = -1;
	struct wd_config config;
	bool first = changes->count == 0, said = false;
	__u32 half;

	if (!wd_changes_are_listed(changes->dir) || wd_place_try_request(changes->dir, &lock) ||
	    !wd_changes_read(changes) ||
	    wd_config_read(set, &config))
		return;
	half = config.half % WD_POLICY_HALVES;
	if (memcmp(config.policy[half].hash, changes->hash, WD_DIGEST_LEN))
		return;
	for (__u32 i = 0; i < changes->count; i++) {
		first = first || !changes->files[i].looked;
		said = look_at(set, half, &changes->files[i]) || said;
	}
	if ((first || said) && write_changes(changes))
		wd_note("changes.json: %s: %s", changes->dir, strerror(errno));
}

void wd_changes_look(struct wd_changes *changes, const struct wd_set *set)
{
	int64_t now = (int64_t)(wd_boot_ns() / NS_PER_MS);

	if (!wd_changes_told(changes) && now < changes->next_ms)
		return;
	changes->next_ms = now + LOOK_EVERY_MS;
	look(changes, set);
}
