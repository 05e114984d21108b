/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path only selects the file to look at. What is kept was put there by root, and for as long as
 * it is kept for a time only that very content is the loader.
 */
#include "loader_file.h"

#include "apply.h"
#include "cleanup.h"
#include "owner.h"
#include "prove.h"
#include "raise.h"
#include "say.h"
#include "sha256.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Hashed in the monitor's loop, which has other things to look after. */
#define BYTES_MAX (512LL << 20)

static struct wd_loader_half *half_of(struct wd_found *found)
{
	return &found->value.half[found->half];
}

bool wd_file_find(const struct wd_set *set, __u32 half, const char *path,
		  struct wd_found *ret_found)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	memset(ret_found, 0, sizeof(*ret_found));
	ret_found->half = half;
	if (fd < 0 || fstat(fd, &ret_found->info) || !S_ISREG(ret_found->info.st_mode) ||
	    wd_key_of(set, fd, &ret_found->key))
		return false;
	ret_found->is_roots = wd_is_roots(path, &ret_found->info);
	if (bpf_map_lookup_elem(set->map[WD_MAP_LOADERS], &ret_found->key, &ret_found->value))
		memset(&ret_found->value, 0, sizeof(ret_found->value));
	return true;
}

/* What was put there meanwhile is found by the next look. */
bool wd_file_read(const char *path, struct wd_found *found)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat info;

	if (fd < 0 || fstat(fd, &info) || info.st_ino != found->info.st_ino ||
	    info.st_dev != found->info.st_dev)
		return false;
	return info.st_size > BYTES_MAX || !wd_sha256_fd(fd, found->digest);
}

bool wd_file_is_of_path(const struct wd_watched *file, const struct wd_found *found)
{
	const struct wd_loader_half *half = &found->value.half[found->half];

	return half->index == file->line->number && !half->has_digest && !half->until_boot_ns;
}

bool wd_file_holds(const struct wd_watched *file, const struct wd_found *found)
{
	const struct wd_loader_half *half = &found->value.half[found->half];

	return half->index == file->line->number &&
	       (!half->until_boot_ns || half->until_boot_ns > wd_boot_ns()) &&
	       (!half->has_digest || !memcmp(half->digest, found->digest, WD_DIGEST_LEN));
}

bool wd_file_is_anothers(const struct wd_watched *file, const struct wd_found *found)
{
	__u32 index = found->value.half[found->half].index;

	return index && index != file->line->number;
}

/* The time goes on from the first change, and with it what is left of it. */
static bool is_kept(struct wd_watched *file, const struct wd_found *found,
		    struct wd_loader_half *want)
{
	const struct wd_policy_loader *loader = file->line;

	if (!loader->keep_s || file->over || !found->is_roots ||
	    found->info.st_size > BYTES_MAX)
		return false;
	if (loader->keep_s != WD_KEEP_ALWAYS) {
		if (!file->until_boot_ns && wd_left_of(loader, &found->info))
			file->until_boot_ns = wd_boot_ns() + wd_left_of(loader, &found->info);
		file->over = file->until_boot_ns <= wd_boot_ns();
		want->until_boot_ns = file->until_boot_ns;
	}
	if (loader->has_sha256 || want->until_boot_ns) {
		want->has_digest = 1;
		memcpy(want->digest, found->digest, sizeof(want->digest));
	}
	return !file->over;
}

static const struct wd_policy_loader *match_of(const struct wd_watched *file,
					       const struct wd_found *found)
{
	const struct wd_policy_loader *loader = file->line;

	if (loader->has_sha256)
		return wd_loader_listed(file->policy, loader->path, found->digest);
	if (!file->has_accepted || memcmp(found->digest, file->accepted, WD_DIGEST_LEN))
		return NULL;
	/* Known by its path: whoever may write there would be the loader a moment later. */
	return found->is_roots ? loader : NULL;
}

enum wd_said_file wd_file_judge(struct wd_watched *file, const struct wd_found *found,
				struct wd_loader_half *ret_want)
{
	const struct wd_policy_loader *match = match_of(file, found);

	wd_loader_fill(match ? match : file->line, ret_want);
	if (match)
		return WD_FILE_LISTED;
	return is_kept(file, found, ret_want) ? WD_FILE_KEPT : WD_FILE_DENIED;
}

static int change_half(int map, const struct wd_exe_key *key, __u32 half,
		       void (*change)(struct wd_loader_half *half))
{
	struct wd_loader value;

	if (bpf_map_lookup_elem(map, key, &value))
		return errno == ENOENT ? 0 : -errno;
	change(&value.half[half]);
	return bpf_map_update_elem(map, key, &value, BPF_EXIST) ? -errno : 0;
}

static void age(struct wd_loader_half *half)
{
	half->fresh = 0;
}

static void clear(struct wd_loader_half *half)
{
	memset(half, 0, sizeof(*half));
}

/*
 * So that a pass over what runs already labels tasks of the one that is new, and no others. All
 * keys first: an element that is updated moves, and a walk would meet it again.
 */
static int age_all(int map, __u32 half)
{
	static struct wd_exe_key keys[WD_LOADER_FILES];
	struct wd_exe_key *last = NULL;
	int count = 0, err = 0;

	while (count < WD_LOADER_FILES && !bpf_map_get_next_key(map, last, &keys[count]))
		last = &keys[count++];
	for (int i = 0; !err && i < count; i++)
		err = change_half(map, &keys[i], half, age);
	return err;
}

/* Makes room for one more file of this path: the oldest that was admitted goes. */
static int make_room(int map, struct wd_watched *file, __u32 half)
{
	if (file->admitted_count < WD_FILES_OF_PATH)
		return 0;
	return change_half(map, &file->admitted[file->admitted_count % WD_FILES_OF_PATH], half,
			   clear);
}

int wd_file_admit(const struct wd_set *set, struct wd_watched *file, struct wd_found *found,
		  const struct wd_loader_half *want)
{
	int map = set->map[WD_MAP_LOADERS], err = age_all(map, found->half);

	if (!err)
		err = make_room(map, file, found->half);
	if (err)
		return err;
	*half_of(found) = *want;
	half_of(found)->fresh = 1;
	if (bpf_map_update_elem(map, &found->key, &found->value, BPF_ANY))
		return -errno;
	file->admitted[file->admitted_count++ % WD_FILES_OF_PATH] = found->key;
	/* Known by content, a loader is what was executed as one: a task is not looked into. */
	if (want->has_digest || want->listed)
		return 0;
	err = wd_label_baseline(set, WD_BASELINE_FRESH);
	if (err)
		wd_note("loader %s: what runs already is not labelled: %s", file->line->name,
			strerror(-err));
	return 0;
}

int wd_file_shut_out(const struct wd_set *set, struct wd_found *found)
{
	return change_half(set->map[WD_MAP_LOADERS], &found->key, found->half, clear);
}
