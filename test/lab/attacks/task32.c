// SPDX-License-Identifier: Apache-2.0
/*
 * The forbidden load by a task that is 32 bits wide as a whole: no library, the kernel's gate only.
 * Status 0: the program ran; else the errno of its load.
 */
#include <linux/bpf.h>

#define NR_EXIT 1
#define NR_BPF 357
#define MARK 0x1ab

static long call(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c)
			 : "memory");
	return result;
}

static volatile unsigned long long target;
static union bpf_attr attr;
static unsigned long long arguments[2];
static const char license[] = "GPL";

/* As in put_forbidden of bpf.c. */
static const struct bpf_insn code[] = {
	{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 1, .src_reg = 1 },
	{ .code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = 10, .off = -8, .imm = MARK },
	{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10 },
	{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -8 },
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = 8 },
	{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_write_user },
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

static long run(void)
{
	long fd;

	attr.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	attr.insns = (unsigned long)code;
	attr.insn_cnt = sizeof(code) / sizeof(code[0]);
	attr.license = (unsigned long)license;
	fd = call(NR_BPF, BPF_PROG_LOAD, (long)&attr, sizeof(attr));
	if (fd < 0)
		return -fd;
	arguments[0] = (unsigned long)&target;
	__builtin_memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = fd;
	attr.test.ctx_in = (unsigned long)arguments;
	attr.test.ctx_size_in = sizeof(arguments);
	call(NR_BPF, BPF_PROG_TEST_RUN, (long)&attr, sizeof(attr));
	return target != MARK;
}

void *memset(void *to, int value, unsigned int size)
{
	volatile char *at = to;

	while (size--)
		*at++ = value;
	return to;
}

void _start(void)
{
	call(NR_EXIT, run(), 0, 0);
	__builtin_unreachable();
}
