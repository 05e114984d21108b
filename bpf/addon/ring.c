/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A BPF ring buffer, read by position. The kernel's layout: a consumer page (ours to write), a
 * producer page, then the data, offered twice in a row so that no record wraps for its reader. We
 * map it once: it then counts once in our resident memory, and records are copied anyway.
 *
 * Reading does not move the consumer: that is `ringRelease`, called after the records are stored.
 */
#include "addon.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Before each record in `ringRead`'s output. */
struct read_header {
	uint64_t position;
	uint32_t length;
	uint32_t zero;
};

struct ring {
	uint64_t *consumer;
	uint64_t *producer;
	uint8_t *data;
	uint64_t size;
	size_t page;
};

static void unmap(struct ring *ring)
{
	if (ring->consumer)
		munmap(ring->consumer, ring->page);
	if (ring->producer)
		munmap(ring->producer, ring->page + ring->size);
	ring->consumer = NULL;
	ring->producer = NULL;
}

static void finalize(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	unmap(data);
	free(data);
}

static int map_ring(int fd, struct ring *ring)
{
	void *at = mmap(NULL, ring->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	ring->consumer = at;
	at = mmap(NULL, ring->page + ring->size, PROT_READ, MAP_SHARED, fd, (off_t)ring->page);
	if (at == MAP_FAILED)
		return -errno;
	ring->producer = at;
	ring->data = (uint8_t *)at + ring->page;
	return 0;
}

/* ringOpen(fd, size): size in bytes, a power of two, as the map's max_entries says. */
napi_value wd_ringOpen(napi_env env, napi_callback_info info)
{
	napi_value args[2], handle;
	struct ring *ring;
	int64_t fd, size;
	int error;

	if (wd_args(env, info, 2, args) || wd_int(env, args[0], &fd) || wd_int(env, args[1], &size))
		return NULL;
	if (size < 4096 || size > (1 << 30) || (size & (size - 1)))
		return wd_throw_type(env, "a ring's size is a power of two from 4096");
	ring = calloc(1, sizeof(*ring));
	if (!ring)
		return wd_throw_errno(env, ENOMEM, "ring");
	ring->size = (uint64_t)size;
	ring->page = (size_t)sysconf(_SC_PAGESIZE);
	error = map_ring((int)fd, ring);
	if (!error && napi_create_external(env, ring, finalize, NULL, &handle) == napi_ok)
		return handle;
	unmap(ring);
	free(ring);
	return wd_throw_errno(env, error ? -error : ENOMEM, "mmap of the ring");
}

static struct ring *ring_of(napi_env env, napi_value value)
{
	struct ring *ring = NULL;

	if (napi_get_value_external(env, value, (void **)&ring) != napi_ok || !ring->consumer) {
		wd_throw_type(env, "an open ring is needed");
		return NULL;
	}
	return ring;
}

/* Copies `length` bytes at `position`, which may wrap. */
static void copy_out(const struct ring *ring, uint64_t position, void *to, size_t length)
{
	const uint64_t at = position & (ring->size - 1);
	const size_t straight = at + length > ring->size ? ring->size - at : length;

	memcpy(to, ring->data + at, straight);
	memcpy((uint8_t *)to + straight, ring->data, length - straight);
}

/*
 * Copies whole records from `position` on into `out`, each behind a read_header and padded to 8.
 * Stops at a record that is still being written. Returns the next position, or -EPROTO when a
 * length can't be true.
 */
static int64_t copy_records(const struct ring *ring, uint64_t position, struct wd_span *out)
{
	const uint64_t produced = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	size_t used = 0;

	if (position > produced || produced - position > ring->size)
		return -EPROTO;
	while (position < produced) {
		uint8_t *at = ring->data + (position & (ring->size - 1));
		const uint32_t header = __atomic_load_n((uint32_t *)at, __ATOMIC_ACQUIRE);
		const uint32_t length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		const size_t padded = ((size_t)length + 7) & ~(size_t)7;
		const struct read_header head = { .position = position, .length = length };

		if (header & BPF_RINGBUF_BUSY_BIT)
			break;
		if (padded + BPF_RINGBUF_HDR_SZ > produced - position)
			return -EPROTO;
		if (!(header & BPF_RINGBUF_DISCARD_BIT)) {
			if (used + sizeof(head) + padded > out->length)
				break;
			memcpy(out->data + used, &head, sizeof(head));
			used += sizeof(head);
			copy_out(ring, position + BPF_RINGBUF_HDR_SZ, out->data + used, padded);
			used += padded;
		}
		position += padded + BPF_RINGBUF_HDR_SZ;
	}
	out->length = used;
	return (int64_t)position;
}

/* ringRead(ring, position, out): [bytes written to out, next position] */
napi_value wd_ringRead(napi_env env, napi_callback_info info)
{
	napi_value args[3], pair;
	int64_t position, next;
	struct wd_span out;
	struct ring *ring;

	if (wd_args(env, info, 3, args))
		return NULL;
	ring = ring_of(env, args[0]);
	if (!ring || wd_int(env, args[1], &position) || wd_bytes(env, args[2], &out))
		return NULL;
	next = copy_records(ring, (uint64_t)position, &out);
	if (next < 0)
		return wd_throw_errno(env, (int)-next, "ring content");
	napi_create_array_with_length(env, 2, &pair);
	napi_set_element(env, pair, 0, wd_number(env, (int64_t)out.length));
	napi_set_element(env, pair, 1, wd_number(env, next));
	return pair;
}

/* ringPositions(ring): [consumer, producer] */
napi_value wd_ringPositions(napi_env env, napi_callback_info info)
{
	napi_value args[1], pair;
	struct ring *ring;
	uint64_t at;

	if (wd_args(env, info, 1, args))
		return NULL;
	ring = ring_of(env, args[0]);
	if (!ring)
		return NULL;
	napi_create_array_with_length(env, 2, &pair);
	at = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	napi_set_element(env, pair, 0, wd_number(env, (int64_t)at));
	at = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	napi_set_element(env, pair, 1, wd_number(env, (int64_t)at));
	return pair;
}

/* ringRelease(ring, position): everything before it may be overwritten. */
napi_value wd_ringRelease(napi_env env, napi_callback_info info)
{
	napi_value args[2];
	struct ring *ring;
	int64_t position;

	if (wd_args(env, info, 2, args))
		return NULL;
	ring = ring_of(env, args[0]);
	if (!ring || wd_int(env, args[1], &position))
		return NULL;
	__atomic_store_n(ring->consumer, (uint64_t)position, __ATOMIC_RELEASE);
	return wd_undefined(env);
}

/* ringClose(ring) */
napi_value wd_ringClose(napi_env env, napi_callback_info info)
{
	napi_value args[1];
	struct ring *ring;

	if (wd_args(env, info, 1, args))
		return NULL;
	ring = ring_of(env, args[0]);
	if (!ring)
		return NULL;
	unmap(ring);
	return wd_undefined(env);
}
