// SPDX-License-Identifier: Apache-2.0
/*
 * Family guard, by its own loader: the attacker starts it, which root may, and makes calls from
 * within it with ptrace. The guard lets its loader do everything, from exec on.
 */
#include "lab.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#define WARDEN_LOAD "/opt/bpf-warden/bpf/build/warden-load"
#define SYSCALL_AND_TRAP 0xcc050fL
/* Below its stack: nobody else writes there while it stands still. */
#define ROOM 8192

/* Everything that the two calls need, as it lies in the other process. */
struct luggage {
	union bpf_attr attr;
	struct bpf_insn code[FORBIDDEN_INSNS];
	char license[8];
	uint64_t target;
	uint64_t arguments[2];
};

static int put(pid_t pid, unsigned long at, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i += sizeof(long)) {
		long word = 0;

		memcpy(&word, (const char *)data + i,
		       size - i < sizeof(word) ? size - i : sizeof(word));
		if (ptrace(PTRACE_POKEDATA, pid, at + i, word))
			return -1;
	}
	return 0;
}

/* Makes one bpf(2) there; its result, or a negative errno. */
static long call_there(pid_t pid, const struct user_regs_struct *at_rest, int command,
		       unsigned long attr)
{
	struct user_regs_struct regs = *at_rest;
	int status;

	regs.rax = SYS_bpf;
	regs.orig_rax = -1;
	regs.rdi = command;
	regs.rsi = attr;
	regs.rdx = sizeof(union bpf_attr);
	if (ptrace(PTRACE_SETREGS, pid, 0, &regs) || ptrace(PTRACE_CONT, pid, 0, 0) ||
	    waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_GETREGS, pid, 0, &regs))
		return -ESRCH;
	return (long)regs.rax;
}

static struct outcome load_there(pid_t pid)
{
	struct user_regs_struct regs;
	struct luggage luggage = { .license = "GPL" };
	unsigned long base;
	long fd;

	if (ptrace(PTRACE_GETREGS, pid, 0, &regs) ||
	    ptrace(PTRACE_POKETEXT, pid, regs.rip, SYSCALL_AND_TRAP))
		return failed("PTRACE_POKETEXT");
	base = (regs.rsp - ROOM) & ~7UL;
	put_forbidden(luggage.code);
	luggage.attr.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	luggage.attr.insns = base + offsetof(struct luggage, code);
	luggage.attr.insn_cnt = FORBIDDEN_INSNS - 1;
	luggage.attr.license = base + offsetof(struct luggage, license);
	luggage.arguments[0] = base + offsetof(struct luggage, target);
	put(pid, base, &luggage, sizeof(luggage));
	fd = call_there(pid, &regs, BPF_PROG_LOAD, base);
	errno = fd < 0 ? (int)-fd : 0;
	if (fd < 0)
		return failed("PROG_LOAD inside warden-load");
	luggage.attr = (union bpf_attr){ .test = {
		.prog_fd = (uint32_t)fd,
		.ctx_in = base + offsetof(struct luggage, arguments),
		.ctx_size_in = sizeof(luggage.arguments) } };
	put(pid, base, &luggage.attr, sizeof(luggage.attr));
	call_there(pid, &regs, BPF_PROG_TEST_RUN, base);
	errno = 0;
	if (ptrace(PTRACE_PEEKDATA, pid, base + offsetof(struct luggage, target), 0) != MARK)
		return futile("PROG_LOAD inside warden-load");
	return gained("PROG_LOAD inside warden-load");
}

static struct outcome loader_ptrace(void)
{
	char *const argv[] = { WARDEN_LOAD, "--help", NULL };
	struct outcome outcome;
	pid_t pid = fork();
	int status;

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execv(argv[0], argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return failed("PTRACE_TRACEME");
	outcome = load_there(pid);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return outcome;
}

const struct attack possess_attacks[] = {
	{ "loader-ptrace", loader_ptrace },
	{},
};
