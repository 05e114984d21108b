/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that a loader may map to execute, besides its own: read from the compiled policy, and
 * written for the guard with the content that they have now. What is not there, or can't be read,
 * is not listed.
 */
#include "apply.h"

#include "cleanup.h"
#include "sha256.h"
#include "words.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

const char *wd_read_code(struct wd_policy *policy, char **cursor)
{
	struct wd_policy_code *one = &policy->code[policy->code_count];

	if (policy->code_count == WD_MAX_CODE)
		return "more than 2048 files of code";
	if (wd_take_number(cursor, NULL, 1, UINT32_MAX, &one->loader))
		return "needs the number of a loader";
	policy->code_count++;
	return wd_read_path(cursor, one->path);
}

/* All keys first: a walk over what is being taken away begins again. */
static int clear_code(int map, __u32 half)
{
	static struct wd_code_key keys[WD_MAX_CODE * WD_POLICY_HALVES];
	struct wd_code_key *last = NULL;
	size_t count = 0;

	while (count < WD_COUNT(keys) && !bpf_map_get_next_key(map, last, &keys[count]))
		last = &keys[count++];
	for (size_t i = 0; i < count; i++)
		if (keys[i].half == half && bpf_map_delete_elem(map, &keys[i]))
			return -errno;
	return 0;
}

static int write_one(const struct wd_set *set, struct wd_policy_code *one, __u32 half)
{
	_cleanup_fd_ int fd = open(one->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct wd_code_key key = { .loader = one->loader, .half = half };
	struct wd_code_file value = {};
	struct stat info;
	int err;

	one->found = fd >= 0 && !fstat(fd, &info) && S_ISREG(info.st_mode) &&
		     !wd_sha256_fd(fd, value.digest);
	if (!one->found)
		return 0;
	err = wd_key_of(set, fd, &key.file);
	if (err)
		return err;
	return bpf_map_update_elem(set->map[WD_MAP_CODE], &key, &value, BPF_ANY) ? -errno : 0;
}

int wd_code_write(const struct wd_set *set, struct wd_policy *policy, __u32 half)
{
	int err = clear_code(set->map[WD_MAP_CODE], half);

	for (__u32 i = 0; !err && i < policy->code_count; i++)
		err = write_one(set, &policy->code[i], half);
	return err;
}
