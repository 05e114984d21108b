/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times what the guard's hooks stand in: hooks [--empty] ROUNDS. With --empty programs that do
 * nothing are attached meanwhile to lsm/bpf, file_open and socket_setsockopt: what any guard by BPF
 * LSM costs at least. Prints a line for each kind, ns per call, the best of ROUNDS:
 *	map_lookup 288.1
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "best.h"

#define DEEP "/tmp/hooks/a/b/c/d"
#define DEEP_FILE DEEP "/e"
#define MOST_INSTRUCTIONS 100000

static int map_fd = -1, socket_fd = -1;
static char self[4096];

static void call_lookup(void)
{
	__u32 key = 0;
	__u64 value;

	bpf_map_lookup_elem(map_fd, &key, &value);
}

static void call_update(void)
{
	__u32 key = 0;
	__u64 value = 1;

	bpf_map_update_elem(map_fd, &key, &value, BPF_ANY);
}

/* r0 = 0, over and over, and exit: the cheapest program of its length. */
static void load(__u32 count)
{
	static struct bpf_insn program[MOST_INSTRUCTIONS];
	int fd;

	for (__u32 i = 0; i + 1 < count; i++)
		program[i] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K };
	program[count - 1] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "hooks", "GPL", program, count, NULL);
	if (fd < 0) {
		perror("hooks: load");
		exit(1);
	}
	close(fd);
}

static void call_load_100(void)
{
	load(100);
}

static void call_load_4000(void)
{
	load(4000);
}

static void call_load_100000(void)
{
	load(MOST_INSTRUCTIONS);
}

static void call_open(void)
{
	close(open(DEEP_FILE, O_RDONLY | O_CLOEXEC));
}

static void call_fork_exec(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(self, self, "--nothing", NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static void call_kill(void)
{
	kill(getpid(), 0);
}

static void call_setsockopt(void)
{
	int on = 1;

	setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}

static const struct {
	const char *name;
	void (*call)(void);
	int calls;
} KINDS[] = {
	{ "map_lookup", call_lookup, 20000 }, { "map_update", call_update, 20000 },
	{ "load_100", call_load_100, 100 },   { "load_4000", call_load_4000, 10 },
	{ "load_100000", call_load_100000, 1 }, { "open", call_open, 10000 },
	{ "fork_exec", call_fork_exec, 20 },  { "kill", call_kill, 20000 },
	{ "setsockopt", call_setsockopt, 20000 },
};

/* Attached until this process ends. */
static int attach_empty(const struct btf *btf, const char *hook)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_LSM_MAC);
	int fd;

	options.attach_btf_id = btf__find_by_name_kind(btf, hook, BTF_KIND_FUNC);
	fd = bpf_prog_load(BPF_PROG_TYPE_LSM, "empty", "GPL", program, 2, &options);
	return fd < 0 ? fd : bpf_raw_tracepoint_open(NULL, fd);
}

static bool attach_all_empty(void)
{
	static const char *const HOOKS[] = { "bpf_lsm_bpf", "bpf_lsm_file_open",
					     "bpf_lsm_socket_setsockopt" };
	const struct btf *btf = btf__load_vmlinux_btf();

	for (size_t i = 0; i < sizeof(HOOKS) / sizeof(HOOKS[0]); i++)
		if (!btf || attach_empty(btf, HOOKS[i]) < 0)
			return false;
	return true;
}

static bool prepare(void)
{
	mkdir("/tmp/hooks", 0755);
	mkdir("/tmp/hooks/a", 0755);
	mkdir("/tmp/hooks/a/b", 0755);
	mkdir("/tmp/hooks/a/b/c", 0755);
	mkdir(DEEP, 0755);
	close(open(DEEP_FILE, O_CREAT | O_RDWR | O_CLOEXEC, 0644));
	map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "hooks", 4, 8, 1, NULL);
	socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
		return false;
	return map_fd >= 0 && socket_fd >= 0;
}

int main(int argc, char **argv)
{
	const bool empty = argc > 1 && !strcmp(argv[1], "--empty");
	const int rounds = argc > 1 ? atoi(argv[argc - 1]) : 0;

	if (argc > 1 && !strcmp(argv[1], "--nothing"))
		return 0;
	if (rounds < 1 || !prepare() || (empty && !attach_all_empty())) {
		fprintf(stderr, "hooks: %s\n", rounds < 1 ? "how many rounds?" : strerror(errno));
		return 1;
	}
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++)
		printf("%s %.1f\n", KINDS[i].name, best(KINDS[i].call, rounds, KINDS[i].calls));
	return 0;
}
