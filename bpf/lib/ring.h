/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Sending a record, and counting what could not be sent. A record is complete before it is sent
 * (bpf_ringbuf_output, not reserve), so that a preempted writer can't stall the ring.
 *
 * Fail open: a full ring loses a record, is counted, and never changes what a call may do.
 */
#ifndef WARDEN_RING_H
#define WARDEN_RING_H

#include "maps.h"

#define WD_WAKE_EVERY_NS 20000000ULL
#define WD_RARE 10
#define WD_SECOND_NS 1000000000ULL

/* Bulk wakes its reader at most every 20 ms; who waits for a wake has looked just before. */
static __always_inline __u64 wd_bulk_wake(void)
{
	struct wd_state *own_state = wd_state();
	__u64 now = bpf_ktime_get_boot_ns();

	if (!own_state || now - own_state->bulk_woken_ns < WD_WAKE_EVERY_NS)
		return BPF_RB_NO_WAKEUP;
	own_state->bulk_woken_ns = now;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline long wd_output(__u32 ring, void *record, __u32 size)
{
	switch (ring) {
	case WD_RING_DENY:
		return bpf_ringbuf_output(&ring_deny, record, size, BPF_RB_FORCE_WAKEUP);
	case WD_RING_OBJECT:
		return bpf_ringbuf_output(&ring_object, record, size, BPF_RB_FORCE_WAKEUP);
	default:
		return bpf_ringbuf_output(&ring_bulk, record, size, wd_bulk_wake());
	}
}

static __always_inline bool wd_half_full(__u32 ring)
{
	switch (ring) {
	case WD_RING_DENY:
		return bpf_ringbuf_query(&ring_deny, BPF_RB_AVAIL_DATA) * 2 >
		       bpf_ringbuf_query(&ring_deny, BPF_RB_RING_SIZE);
	case WD_RING_OBJECT:
		return bpf_ringbuf_query(&ring_object, BPF_RB_AVAIL_DATA) * 2 >
		       bpf_ringbuf_query(&ring_object, BPF_RB_RING_SIZE);
	default:
		return bpf_ringbuf_query(&ring_bulk, BPF_RB_AVAIL_DATA) * 2 >
		       bpf_ringbuf_query(&ring_bulk, BPF_RB_RING_SIZE);
	}
}

/*
 * The token bucket: while a ring is over half full, a subject may send `rate` records a second, so
 * that one who makes noise can't push the others' records out of it.
 */
static __always_inline bool wd_throttled(__u32 ring, const struct wd_subject *subject, __u64 rate)
{
	struct wd_window *window, fresh = {};
	struct wd_subject key = *subject; /* a copy: see wd_own_tier */
	__u64 now;

	if (!wd_half_full(ring))
		return false;
	/* What must not be lost is rare, and less of it fits. */
	if (ring != WD_RING_BULK)
		rate /= WD_RARE;
	now = bpf_ktime_get_boot_ns();
	window = bpf_map_lookup_elem(&windows, &key);
	if (window && now - window->begin_ns < WD_SECOND_NS)
		return __sync_fetch_and_add(&window->sent, 1) >= rate;
	fresh.begin_ns = now;
	fresh.sent = 1;
	bpf_map_update_elem(&windows, &key, &fresh, BPF_ANY);
	return rate == 0;
}

static __always_inline struct wd_ring_stats *wd_ring_stats(__u32 ring)
{
	struct wd_stats *all = wd_stats();

	return all ? &all->rings[wd_bounded(ring, WD_ALL_RINGS)] : NULL;
}

/* A record that was never built counts too. */
static __always_inline void wd_count_lost(__u32 ring)
{
	struct wd_ring_stats *counts = wd_ring_stats(ring);

	if (!counts)
		return;
	wd_add(&counts->attempted, 1);
	wd_add(&counts->lost, 1);
}

/* Asked before a record is built, which costs more than to refuse it. */
static __always_inline bool wd_admits(__u32 ring, const struct wd_subject *subject,
				      __u64 bulk_rate)
{
	struct wd_ring_stats *counts = wd_ring_stats(ring);

	if (!counts || !wd_throttled(ring, subject, bulk_rate))
		return true;
	wd_add(&counts->attempted, 1);
	wd_add(&counts->throttled, 1);
	wd_add(&counts->lost, 1);
	return false;
}

/* Sends `act` and its tail, `size` bytes in all, on `ring`. */
static __always_inline void wd_send(__u32 ring, struct wd_act *act, __u32 size)
{
	struct wd_ring_stats *counts = wd_ring_stats(ring);

	if (!counts)
		return;
	wd_add(&counts->attempted, 1);
	act->head.size = size;
	act->head.kind = WD_RECORD_ACT;
	act->head.layout = WD_LAYOUT_VERSION;
	act->head.lost = counts->lost;
	if (wd_output(ring, act, size))
		wd_add(&counts->lost, 1);
	else
		wd_add(&counts->delivered, 1);
}

#endif /* WARDEN_RING_H */
