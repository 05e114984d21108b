/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes records of its own into a pinned ring, as somebody with CAP_BPF could.
 *
 *	forge PIN COUNT SEED	PIN: a ring buffer's pin; records of 8 to 248 random bytes
 *
 * Prints one line for each record: its length.
 */
#include "workload.h"

#define ROOM 256
#define WORDS (ROOM / 8)
#define LENGTH_MASK 0xf8

/* What the program reads: the record, then its length. */
struct forged {
	unsigned long long words[WORDS];
	unsigned long long length;
};

static struct bpf_insn insn(int code, int dst, int src, int off, int imm)
{
	return (struct bpf_insn){ .code = code, .dst_reg = dst, .src_reg = src, .off = off,
				  .imm = imm };
}

/* Copies the record to the stack and sends it: bpf_ringbuf_output(ring, stack, length, 0). */
static long load_program(long ring)
{
	struct bpf_insn code[2 * WORDS + 16];
	int n = 0;

	for (int i = 0; i < WORDS; i++) {
		code[n++] = insn(BPF_LDX | BPF_MEM | BPF_DW, 2, 1, i * 8, 0);
		code[n++] = insn(BPF_STX | BPF_MEM | BPF_DW, 10, 2, i * 8 - ROOM, 0);
	}
	code[n++] = insn(BPF_LDX | BPF_MEM | BPF_DW, 3, 1, ROOM, 0);
	code[n++] = insn(BPF_ALU64 | BPF_AND | BPF_K, 3, 0, 0, LENGTH_MASK);
	code[n++] = insn(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, (int)ring);
	code[n++] = insn(0, 0, 0, 0, 0);
	code[n++] = insn(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0);
	code[n++] = insn(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -ROOM);
	code[n++] = insn(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, 0);
	code[n++] = insn(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_output);
	code[n++] = insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);

	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SYSCALL, .prog_flags = BPF_F_SLEEPABLE,
				.insns = address(code), .insn_cnt = n, .license = address("GPL"),
				.prog_name = "wl_forge" };

	return syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static int forge(long program, unsigned int length)
{
	struct forged forged = { .length = length };
	union bpf_attr attr = { .test = { .prog_fd = program, .ctx_in = address(&forged),
					  .ctx_size_in = sizeof(forged) } };

	for (int i = 0; i < WORDS; i++)
		forged.words[i] = (unsigned long long)random() << 32 ^ random();
	return syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)) || attr.test.retval;
}

int main(int argc, char **argv)
{
	long ring, program;

	if (argc != 4) {
		fprintf(stderr, "usage: forge PIN COUNT SEED\n");
		return 64;
	}
	srandom(atoi(argv[3]));
	ring = syscall(SYS_bpf, BPF_OBJ_GET, ATTR(.pathname = address(argv[1])),
		       sizeof(union bpf_attr));
	program = ring < 0 ? -1 : load_program(ring);
	if (program < 0) {
		perror(argv[1]);
		return 71;
	}
	for (int i = 0; i < atoi(argv[2]); i++) {
		unsigned int length = 8 + (random() & 0xf0);

		if (forge(program, length)) {
			perror("forge");
			return 71;
		}
		printf("{\"command\":\"FORGED\",\"length\":%u}\n", length);
	}
	return 0;
}
