/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rewrites a program in user memory while it is being loaded, so that what is looked at and what is
 * loaded differ if they are not the same copy.
 *
 *	racer TRIES [FILLER]
 *
 * The program calls bpf_get_prandom_u32 (7) or bpf_ktime_get_ns (5): a policy that refuses 5 must
 * never let a program through that has another tag than the one with 7. Prints one line:
 * {"tries":N,"benign":N,"forbidden":N,"refused":N,"failed":N}, where refused is EPERM.
 */
#include "workload.h"

#include <pthread.h>

#define BENIGN 7
#define FORBIDDEN 5
#define TAG 8
#define BENIGN_TRIES 100

static struct bpf_insn *call;
static volatile bool stop;

/* Each value stays for a while that differs, or an emulated machine would always see the same. */
static void *rewrite(void *nothing)
{
	volatile int *imm = &call->imm;
	unsigned int random = 1;

	(void)nothing;
	while (!stop) {
		random = random * 1103515245 + 12345;
		*imm = random & (1U << 16) ? FORBIDDEN : BENIGN;
		for (volatile unsigned int i = random >> 20; i > 0; i--)
			;
	}
	return NULL;
}

static long load(const struct bpf_insn *code, unsigned int count)
{
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insns = address(code),
				.insn_cnt = count, .license = address("GPL"),
				.prog_name = "wl_racer" };

	return syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* From /proc, so that asking is no act. */
static int read_tag(long fd, char tag[2 * TAG + 1])
{
	char path[64], line[128];
	FILE *file;
	int found = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%ld", fd);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "prog_tag: %16s", tag) == 1;
	if (file)
		fclose(file);
	return found ? 0 : -1;
}

static struct bpf_insn *make_program(unsigned int filler)
{
	struct bpf_insn *code = calloc(filler + 3, sizeof(*code));

	if (!code)
		return NULL;
	for (unsigned int i = 0; i < filler; i++)
		code[i] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K };
	code[filler] = (struct bpf_insn){ .code = BPF_JMP | BPF_CALL, .imm = BENIGN };
	code[filler + 1] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K };
	code[filler + 2] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	call = &code[filler];
	return code;
}

int main(int argc, char **argv)
{
	unsigned long tries = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned int filler = argc > 2 ? strtoul(argv[2], NULL, 10) : 500;
	unsigned long benign = 0, forbidden = 0, refused = 0, failed = 0;
	char want[2 * TAG + 1] = "", tag[2 * TAG + 1];
	struct bpf_insn *code = make_program(filler);
	pthread_t thread;
	long fd = -1;

	if (!tries || !code) {
		fprintf(stderr, "usage: racer TRIES [FILLER]\n");
		return 64;
	}
	/* On 6.1 with preempt=full the guard refuses a harmless load now and then. */
	for (int i = 0; fd < 0 && i < BENIGN_TRIES; i++)
		fd = load(code, filler + 3);
	if (fd < 0 || read_tag(fd, want)) {
		perror("racer: the benign program");
		return 69;
	}
	close(fd);
	if (pthread_create(&thread, NULL, rewrite, NULL))
		return 71;
	for (unsigned long i = 0; i < tries; i++) {
		fd = load(code, filler + 3);
		if (fd < 0) {
			*(errno == EPERM ? &refused : &failed) += 1;
			continue;
		}
		if (read_tag(fd, tag))
			failed++;
		else
			*(strcmp(tag, want) ? &forbidden : &benign) += 1;
		close(fd);
	}
	stop = true;
	pthread_join(thread, NULL);
	printf("{\"tries\":%lu,\"benign\":%lu,\"forbidden\":%lu,\"refused\":%lu,\"failed\":%lu,"
	       "\"pid\":%d}\n", tries, benign, forbidden, refused, failed, getpid());
	return forbidden != 0;
}
