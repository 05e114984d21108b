/* SPDX-License-Identifier: Apache-2.0 */
/* Pinned objects and map elements over raw bpf(2). */
#include "addon.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WD_MAX_KEY 512
#define WD_MAX_VALUE 65536
#define WD_MAX_BATCH 65536

static int64_t bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	const long result = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return result < 0 ? -errno : result;
}

/* objGet(path, flags): fd of a pinned object, opened with the file's permissions. */
napi_value wd_objGet(napi_env env, napi_callback_info info)
{
	napi_value args[2];
	char path[4096];
	size_t length;
	int64_t flags, fd;

	if (wd_args(env, info, 2, args) || wd_int(env, args[1], &flags))
		return NULL;
	if (napi_get_value_string_utf8(env, args[0], path, sizeof(path), &length) != napi_ok)
		return wd_throw_type(env, "a path is needed");

	union bpf_attr attr = { .pathname = (uint64_t)(uintptr_t)path };

	attr.file_flags = (uint32_t)flags;
	fd = bpf(BPF_OBJ_GET, &attr);
	return fd < 0 ? wd_throw_errno(env, (int)-fd, path) : wd_number(env, fd);
}

static int map_info(int64_t fd, struct bpf_map_info *ret_info)
{
	struct bpf_map_info found = { 0 };
	union bpf_attr attr = { 0 };
	int64_t result;

	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(found);
	attr.info.info = (uint64_t)(uintptr_t)&found;
	result = bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
	if (result < 0)
		return (int)result;
	*ret_info = found;
	return 0;
}

/* mapInfo(fd): [type, id, key size, value size, max entries] */
napi_value wd_mapInfo(napi_env env, napi_callback_info info)
{
	struct bpf_map_info found;
	napi_value args[1], list;
	int64_t fd;
	int error;

	if (wd_args(env, info, 1, args) || wd_int(env, args[0], &fd))
		return NULL;
	error = map_info(fd, &found);
	if (error)
		return wd_throw_errno(env, -error, "map info");

	const uint32_t numbers[] = { found.type, found.id, found.key_size, found.value_size,
				     found.max_entries };

	napi_create_array_with_length(env, 5, &list);
	for (uint32_t i = 0; i < 5; i++)
		napi_set_element(env, list, i, wd_number(env, numbers[i]));
	return list;
}

/* Key and value must have the map's own sizes: the kernel reads that much from where they lie. */
static int element(napi_env env, napi_value *args, size_t count, int64_t *ret_fd,
		   struct wd_span *ret_key, struct wd_span *ret_value)
{
	struct bpf_map_info found;
	int error;

	if (wd_int(env, args[0], ret_fd) || wd_bytes(env, args[1], ret_key))
		return -EINVAL;
	if (count > 2 && wd_bytes(env, args[2], ret_value))
		return -EINVAL;
	error = map_info(*ret_fd, &found);
	if (error) {
		wd_throw_errno(env, -error, "map info");
		return error;
	}
	if (ret_key->length != found.key_size ||
	    (count > 2 && ret_value->length != found.value_size)) {
		wd_throw_type(env, "key or value does not have the map's size");
		return -EINVAL;
	}
	return 0;
}

static union bpf_attr element_attr(int64_t fd, const struct wd_span *key,
				   const struct wd_span *value, uint64_t flags)
{
	union bpf_attr attr = { 0 };

	attr.map_fd = (uint32_t)fd;
	attr.key = (uint64_t)(uintptr_t)key->data;
	attr.value = (uint64_t)(uintptr_t)(value ? value->data : NULL);
	attr.flags = flags;
	return attr;
}

/* mapLookup(fd, key, value): fills `value`; false when there is no such key. */
napi_value wd_mapLookup(napi_env env, napi_callback_info info)
{
	struct wd_span key, value;
	napi_value args[3], found;
	int64_t fd, result;

	if (wd_args(env, info, 3, args) || element(env, args, 3, &fd, &key, &value))
		return NULL;

	union bpf_attr attr = element_attr(fd, &key, &value, 0);

	result = bpf(BPF_MAP_LOOKUP_ELEM, &attr);
	if (result < 0 && result != -ENOENT)
		return wd_throw_errno(env, (int)-result, "map lookup");
	napi_get_boolean(env, result == 0, &found);
	return found;
}

/* mapUpdate(fd, key, value, flags) */
napi_value wd_mapUpdate(napi_env env, napi_callback_info info)
{
	struct wd_span key, value;
	napi_value args[4];
	int64_t fd, flags, result;

	if (wd_args(env, info, 4, args) || wd_int(env, args[3], &flags) ||
	    element(env, args, 3, &fd, &key, &value))
		return NULL;

	union bpf_attr attr = element_attr(fd, &key, &value, (uint64_t)flags);

	result = bpf(BPF_MAP_UPDATE_ELEM, &attr);
	return result < 0 ? wd_throw_errno(env, (int)-result, "map update") : wd_undefined(env);
}

/* mapDelete(fd, key): false when there was no such key. */
napi_value wd_mapDelete(napi_env env, napi_callback_info info)
{
	napi_value args[2], deleted;
	struct wd_span key;
	int64_t fd, result;

	if (wd_args(env, info, 2, args) || element(env, args, 2, &fd, &key, NULL))
		return NULL;

	union bpf_attr attr = element_attr(fd, &key, NULL, 0);

	result = bpf(BPF_MAP_DELETE_ELEM, &attr);
	if (result < 0 && result != -ENOENT)
		return wd_throw_errno(env, (int)-result, "map delete");
	napi_get_boolean(env, result == 0, &deleted);
	return deleted;
}

struct batch {
	int64_t fd;
	struct bpf_map_info info;
	struct wd_span keys;
	struct wd_span values;
};

/* Reads up to `room` elements; the kernel's cursor is opaque and 4 bytes for hash maps. */
static int64_t read_batch(const struct batch *batch, size_t room)
{
	uint8_t cursor[WD_MAX_KEY] = { 0 };
	size_t total = 0;
	int64_t result = 0;

	while (result == 0 && total < room) {
		union bpf_attr attr = { 0 };

		attr.batch.in_batch = total ? (uint64_t)(uintptr_t)cursor : 0;
		attr.batch.out_batch = (uint64_t)(uintptr_t)cursor;
		attr.batch.keys =
			(uint64_t)(uintptr_t)(batch->keys.data + total * batch->info.key_size);
		attr.batch.values =
			(uint64_t)(uintptr_t)(batch->values.data + total * batch->info.value_size);
		attr.batch.count = (uint32_t)(room - total);
		attr.batch.map_fd = (uint32_t)batch->fd;
		result = bpf(BPF_MAP_LOOKUP_BATCH, &attr);
		if (result < 0 && result != -ENOENT)
			return result;
		total += attr.batch.count;
		if (result == 0 && attr.batch.count == 0)
			break;
	}
	return (int64_t)total;
}

/* mapLookupBatch(fd, keys, values): number of elements read into the two arrays. */
napi_value wd_mapLookupBatch(napi_env env, napi_callback_info info)
{
	struct batch batch = { 0 };
	napi_value args[3];
	int64_t total;
	size_t room;
	int error;

	if (wd_args(env, info, 3, args) || wd_int(env, args[0], &batch.fd) ||
	    wd_bytes(env, args[1], &batch.keys) || wd_bytes(env, args[2], &batch.values))
		return NULL;
	error = map_info(batch.fd, &batch.info);
	if (error)
		return wd_throw_errno(env, -error, "map info");
	if (batch.info.key_size == 0 || batch.info.key_size > WD_MAX_KEY ||
	    batch.info.value_size == 0 || batch.info.value_size > WD_MAX_VALUE)
		return wd_throw_type(env, "a map whose elements have no or too large a size");
	room = batch.keys.length / batch.info.key_size;
	if (room > batch.values.length / batch.info.value_size)
		room = batch.values.length / batch.info.value_size;
	if (room == 0 || room > WD_MAX_BATCH)
		return wd_throw_type(env, "room for 1 to 65536 elements is needed");
	total = read_batch(&batch, room);
	return total < 0 ? wd_throw_errno(env, (int)-total, "map batch") : wd_number(env, total);
}

/* progTestRun(fd, context): runs a SYSCALL program on `context`, in place; its return value. */
napi_value wd_progTestRun(napi_env env, napi_callback_info info)
{
	union bpf_attr attr = { 0 };
	struct wd_span context;
	napi_value args[2];
	int64_t fd, result;

	if (wd_args(env, info, 2, args) || wd_int(env, args[0], &fd) ||
	    wd_bytes(env, args[1], &context))
		return NULL;
	attr.test.prog_fd = (uint32_t)fd;
	attr.test.ctx_in = (uint64_t)(uintptr_t)context.data;
	attr.test.ctx_size_in = (uint32_t)context.length;
	result = bpf(BPF_PROG_TEST_RUN, &attr);
	if (result < 0)
		return wd_throw_errno(env, (int)-result, "test run");
	return wd_number(env, (int32_t)attr.test.retval);
}
