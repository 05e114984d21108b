// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The guard of the setting `signing`: a program is loaded when it is signed by a key of one
 * keyring, and that is all that is asked.
 */
#include "kernel.h"
#include <asm-generic/errno-base.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The keyring's number; 0: nothing is asked yet. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __s32);
} keyring SEC(".maps");

SEC("lsm/bpf_prog_load")
int BPF_PROG(only_signed, struct bpf_prog *prog)
{
	struct bpf_prog_aux___72 *aux = (void *)BPF_CORE_READ(prog, aux);
	__s32 *pinned, serial = 0;
	int result = 0;
	__u32 key = 0;

	if (bpf_core_field_exists(aux->sig))
		serial = BPF_CORE_READ(aux, sig.keyring_serial);
	pinned = bpf_map_lookup_elem(&keyring, &key);
	if (pinned && *pinned && serial != *pinned)
		result = -EPERM;
	/* Or the compiler computes the result in a way that the verifier can't follow. */
	asm volatile("" : "+r"(result));
	return result;
}
