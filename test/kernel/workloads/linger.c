/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaches a program to a raw tracepoint, and holds the link until it is ended.
 *
 *	linger
 */
#include "workload.h"

#include <linux/filter.h>

int main(void)
{
	static const char point[] = "sched_process_exec";
	static const struct bpf_insn return_0[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	long program = ACT(BPF_PROG_LOAD,
			   ATTR(.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT,
				.insn_cnt = COUNT(return_0), .insns = address(return_0),
				.license = address("GPL"), .prog_name = "wl_linger"),
			   .name = "wl_linger");
	long link = ACT(BPF_RAW_TRACEPOINT_OPEN,
			ATTR(.raw_tracepoint = { .name = address(point), .prog_fd = program }),
			.note = point);

	if (program < 0 || link < 0)
		return 1;
	for (;;)
		pause();
}
