/* SPDX-License-Identifier: Apache-2.0 */
/* An id is not given again while a host runs: an object is alive when its id is. */
#include "forget.h"

#include "cleanup.h"

#include <bpf/bpf.h>
#include <errno.h>

static void free_keys(__u64 **keys)
{
	free(*keys);
}

/* Reads the keys first: a walk begins anew when its key goes while it is looked at. */
static int read_keys(int map, __u64 **ret_keys, __u32 *ret_count)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info), count = 0;
	__u64 *keys, *last = NULL;

	if (bpf_obj_get_info_by_fd(map, &info, &len))
		return -errno;
	keys = calloc(info.max_entries, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	while (count < info.max_entries && !bpf_map_get_next_key(map, last, &keys[count]))
		last = &keys[count++];
	*ret_keys = keys;
	*ret_count = count;
	return 0;
}

static bool is_alive(const struct wd_made *made)
{
	_cleanup_fd_ int fd = -1;

	if (made->id == 0)
		return false;
	fd = made->kind == WD_OBJECT_PROG ? bpf_prog_get_fd_by_id(made->id) :
					    bpf_map_get_fd_by_id(made->id);
	/* Any other error says nothing about the object: keep what is known of it. */
	return fd >= 0 || errno != ENOENT;
}

int wd_forget_gone(const struct wd_set *set, __u64 boot_ns)
{
	__attribute__((cleanup(free_keys))) __u64 *keys = NULL;
	int map = set->map[WD_MAP_OBJECTS];
	__u32 count = 0;
	int err = read_keys(map, &keys, &count);

	for (__u32 i = 0; !err && i < count; i++) {
		struct wd_made made;

		if (bpf_map_lookup_elem(map, &keys[i], &made) || made.boot_ns >= boot_ns ||
		    is_alive(&made))
			continue;
		if (bpf_map_delete_elem(map, &keys[i]) && errno != ENOENT)
			err = -errno;
	}
	return err;
}
