/* SPDX-License-Identifier: Apache-2.0 */
/* An id is not given again while a host runs: an object is alive when its id is. */
#include "forget.h"

#include "cleanup.h"
#include "raise.h"
#include "say.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

/* No load takes as long. */
#define UNNUMBERED_MS 3600000

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
	_cleanup_fd_ int fd = made->kind == WD_OBJECT_PROG ? bpf_prog_get_fd_by_id(made->id) :
							     bpf_map_get_fd_by_id(made->id);

	/* Any other error says nothing about the object: keep what is known of it. */
	return fd >= 0 || errno != ENOENT;
}

/* Another object may be made at its address meanwhile: that one is put back. */
static int forget(int map, __u64 address, __u32 id)
{
	struct wd_made made;

	if (bpf_map_lookup_and_delete_elem(map, &address, &made))
		return errno == ENOENT ? 0 : -errno;
	if (made.id == id)
		return 0;
	return bpf_map_update_elem(map, &address, &made, BPF_NOEXIST) && errno != EEXIST ? -errno :
											   0;
}

/* A program has no number while it is verified. */
static bool is_gone(const struct wd_made *made, __u64 boot_ns, __u64 unnumbered_ns)
{
	if (made->id == 0)
		return made->boot_ns < unnumbered_ns;
	return made->boot_ns < boot_ns && !is_alive(made);
}

static int forget_gone(const struct wd_set *set, __u64 boot_ns, __u64 unnumbered_ns)
{
	__attribute__((cleanup(free_keys))) __u64 *keys = NULL;
	int map = set->map[WD_MAP_OBJECTS];
	__u32 count = 0;
	int err = read_keys(map, &keys, &count);

	for (__u32 i = 0; !err && i < count; i++) {
		struct wd_made made;

		if (!bpf_map_lookup_elem(map, &keys[i], &made) &&
		    is_gone(&made, boot_ns, unnumbered_ns))
			err = forget(map, keys[i], made.id);
	}
	return err;
}

int wd_forget_gone(const struct wd_set *set, __u64 boot_ns)
{
	return forget_gone(set, boot_ns, boot_ns);
}

static __u64 ns_before(int64_t now_ms, int64_t age_ms)
{
	return now_ms > age_ms ? (__u64)(now_ms - age_ms) * 1000000 : 0;
}

int64_t wd_forget_look(int64_t *next_ms, const struct wd_set *set)
{
	int64_t now = wd_boot_ms(), left = *next_ms - now;
	int err;

	if (left > 0)
		return left;
	*next_ms = now + WD_FORGET_EVERY_MS;
	err = forget_gone(set, ns_before(now, WD_FORGET_AGE_MS), ns_before(now, UNNUMBERED_MS));
	if (err)
		wd_note("objects: what is gone is not forgotten: %s", strerror(-err));
	return WD_FORGET_EVERY_MS;
}
