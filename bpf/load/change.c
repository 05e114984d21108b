/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's looks at the files of loaders, and what it says of them. */
#include "change.h"

#include "cleanup.h"
#include "json.h"
#include "loader_file.h"
#include "place.h"
#include "raise.h"
#include "say.h"
#include "sha256.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#define NS_PER_MS 1000000ULL
#define LOOK_EVERY_MS 1000
/* Whatever happens in the directories. */
#define LOOK_AGAIN_MS 100
/* A request may take its time; beyond this many looks it is said that nothing is noticed. */
#define MISSED_MAX 15

static const char *const STATES[] = {
	[WD_FILE_LISTED] = "listed", [WD_FILE_KEPT] = "kept", [WD_FILE_DENIED] = "denied",
	[WD_FILE_ENDED] = "ended",   [WD_FILE_GONE] = "gone",
};

static const char *const TEXTS[] = {
	[WD_FILE_LISTED] = "is one that the policy lists",
	[WD_FILE_KEPT] = "changed since the policy was applied: kept",
	[WD_FILE_DENIED] = "changed since the policy was applied: no loader",
	[WD_FILE_ENDED] = "was kept for its time: no loader any more",
	[WD_FILE_GONE] = "is gone",
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

/* Of what is there nothing is new. A kept file that others may write to from now on is. */
static bool is_unchanged(const struct wd_watched *file, const struct wd_found *found)
{
	return file->looked && !memcmp(file->digest, found->digest, WD_DIGEST_LEN) &&
	       wd_file_holds(file, found) && (file->said != WD_FILE_KEPT || found->is_roots);
}

/*
 * As the policy found it, and kept whatever becomes of it: nobody needs to know what is in it, and
 * each start would read all the files of all loaders.
 */
static bool needs_no_reading(const struct wd_watched *file, const struct wd_found *found)
{
	return !file->looked && !file->line->has_sha256 && file->line->keep_s == WD_KEEP_ALWAYS &&
	       wd_file_is_of_path(file, found);
}

/* As the policy found it, when it was applied: of this nothing is said. */
static bool is_as_applied(struct wd_watched *file, const struct wd_found *found)
{
	if (file->looked)
		return false;
	if (wd_file_is_anothers(file, found))
		return true;
	if (!wd_file_holds(file, found))
		return false;
	file->until_boot_ns = found->value.half[found->half].until_boot_ns;
	if (file->until_boot_ns)
		return false;
	file->has_accepted = true;
	memcpy(file->accepted, found->digest, WD_DIGEST_LEN);
	return true;
}

static int put_in_force(const struct wd_set *set, struct wd_watched *file, struct wd_found *found,
			const struct wd_loader_half *want)
{
	if (file->said != WD_FILE_DENIED)
		return wd_file_holds(file, found) ? 0 : wd_file_admit(set, file, found, want);
	return wd_file_is_anothers(file, found) ? 0 : wd_file_shut_out(set, found);
}

/* True when something is to be said. */
static bool take_up(const struct wd_set *set, struct wd_watched *file, struct wd_found *found)
{
	struct wd_loader_half want;
	int err;

	if (is_as_applied(file, found))
		return false;
	if (is_unchanged(file, found)) {
		if (file->said != WD_FILE_GONE)
			return false;
		file->said = file->before ? file->before : WD_FILE_LISTED;
		return true;
	}
	file->said = wd_file_is_anothers(file, found) ? WD_FILE_DENIED :
							wd_file_judge(file, found, &want);
	err = put_in_force(set, file, found, &want);
	if (!err)
		return true;
	wd_note("loader %s: %s: not taken up: %s", file->line->name, file->line->path,
		strerror(-err));
	file->said = WD_FILE_DENIED;
	return true;
}

/* True when something is to be said. */
static bool note_gone(struct wd_watched *file)
{
	if (!file->looked || file->said == WD_FILE_GONE)
		return false;
	file->before = file->said;
	file->said = WD_FILE_GONE;
	return true;
}

static bool is_over(const struct wd_watched *file)
{
	return file->said == WD_FILE_KEPT && file->until_boot_ns &&
	       file->until_boot_ns <= wd_boot_ns();
}

enum looked {
	LOOKED_SAME,	       /* nothing to say */
	LOOKED_SAID,
	LOOKED_READ,	       /* and it took its time */
	LOOKED_IN_VAIN,	       /* it took its time, and nothing is known */
};

static enum looked look_at(const struct wd_set *set, __u32 half, struct wd_watched *file)
{
	const char *path = file->line->path;
	struct wd_found found;
	struct stat info;
	bool told = false, there, is_read;

	if (is_over(file)) {
		file->said = WD_FILE_ENDED;
		file->over = true;
		say(set, file);
		return LOOKED_SAID;
	}
	if (stat(path, &info))
		memset(&info, 0, sizeof(info));
	if (file->looked && same_file(&info, &file->seen))
		return LOOKED_SAME;
	there = S_ISREG(info.st_mode) && wd_file_find(set, half, path, &found);
	is_read = there && !needs_no_reading(file, &found);
	/* Another file by now, or one that can't be read: the next look sees what it is. */
	if (is_read && !wd_file_read(path, &found))
		return LOOKED_IN_VAIN;
	if (!there)
		told = note_gone(file);
	else if (is_read)
		told = take_up(set, file, &found);
	/* Of a path that never had a file nothing is said when it gets none. */
	file->looked = file->looked || there || !info.st_ino;
	file->seen = there ? found.info : info;
	if (there)
		memcpy(file->digest, found.digest, WD_DIGEST_LEN);
	if (told)
		say(set, file);
	return is_read ? LOOKED_READ : told ? LOOKED_SAID : LOOKED_SAME;
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
		if (file->said == WD_FILE_GONE)
			wd_json_null(&json, "sha256");
		else
			wd_json_text(&json, "sha256", digest);
		wd_json_number(&json, "until_boot_ms",
			       file->said == WD_FILE_KEPT ? file->until_boot_ns / NS_PER_MS : 0);
		wd_json_close(&json, '}');
	}
	wd_json_close(&json, ']');
	wd_json_close(&json, '}');
	fputc('\n', out);
	if (fflush(out) || fchmod(fileno(out), 0644) || rename(beside, path))
		return -errno;
	return 0;
}

/* Said once, until it goes well again. */
static void complain(struct wd_changes *changes, const struct wd_set *set)
{
	static const char text[] = "changes of loaders are not noticed: DIR/loaders is not what "
				   "was applied, or another request never ends";

	if (++changes->missed != MISSED_MAX)
		return;
	wd_note("%s", text);
	wd_say_state(set, WD_SAID_GUARD, WD_SAID_UNHEARD, text);
}

/* Nothing of it holds while another request writes to the same maps: a second later it does. */
static bool begin(struct wd_changes *changes, const struct wd_set *set, int *ret_lock,
		  __u32 *ret_half)
{
	struct wd_config config;

	if (wd_place_try_request(changes->dir, ret_lock) || wd_config_read(set, &config) ||
	    !wd_changes_read(changes, &config)) {
		complain(changes, set);
		return false;
	}
	changes->missed = 0;
	*ret_half = config.half % WD_POLICY_HALVES;
	return true;
}

/* One pass, or as far as the first file that had to be read. */
static void look(struct wd_changes *changes, const struct wd_set *set)
{
	_cleanup_fd_ int lock = -1;
	__u32 half;
	int err;

	/* From the beginning, and later: somebody else's request may take its time. */
	if (!begin(changes, set, &lock, &half)) {
		changes->next = 0;
		return;
	}
	while (changes->next < changes->count) {
		enum looked looked = look_at(set, half, &changes->files[changes->next++]);

		if (looked == LOOKED_SAID || looked == LOOKED_READ)
			changes->dirty = true;
		if (looked == LOOKED_READ || looked == LOOKED_IN_VAIN)
			return;
	}
	changes->next = 0;
	err = changes->dirty ? write_changes(changes) : 0;
	if (err)
		wd_note("changes.json: %s: %s", changes->dir, strerror(-err));
	changes->dirty = err != 0;
}

int64_t wd_changes_look(struct wd_changes *changes, const struct wd_set *set)
{
	int64_t now = wd_boot_ms(), due;

	changes->told = wd_changes_told(changes) || changes->told;
	due = changes->next ? now :
	      changes->looked_ms + (changes->told ? LOOK_AGAIN_MS : LOOK_EVERY_MS);
	if (now < due)
		return due - now;
	if (!changes->next)
		changes->told = false;
	changes->looked_ms = now;
	look(changes, set);
	return changes->next ? 0 : LOOK_EVERY_MS;
}
