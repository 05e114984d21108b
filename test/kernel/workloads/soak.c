/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guard keeps something for, again and again and from many threads: programs and maps that
 * are made, pinned, attached, detached and freed, processes that begin, execute and end.
 *
 *	soak THREADS SECONDS DIRECTORY CGROUP	DIRECTORY in a bpffs
 *
 * Prints what was done and what of it failed, one line for each kind. Leaves nothing behind.
 */
#include "workload.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

enum step {
	STEP_MAP,	       /* made, filled, emptied, pinned, opened by the pin, unlinked */
	STEP_TRACE,	       /* a program on a raw tracepoint */
	STEP_CGROUP,	       /* a program on a cgroup, by a link and without one */
	STEP_REFUSED,	       /* a program with a helper that the policy leaves out */
	STEP_FORK,	       /* a child that makes a map and ends */
	STEP_EXEC,	       /* a child that executes */
	STEPS,
};

static const char *const STEP_NAMES[STEPS] = { "map", "trace", "cgroup", "refused", "fork",
						"exec" };

struct worker {
	pthread_t thread;
	unsigned int number;
	unsigned long done[STEPS];
	unsigned long failed[STEPS];
	int error;
};

static const char *directory;
static int cgroup = -1;
static time_t until;

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int make_map(void)
{
	return bpf(BPF_MAP_CREATE, ATTR(.map_type = BPF_MAP_TYPE_HASH, .key_size = 4,
					.value_size = 8, .max_entries = 8,
					.map_name = "wl_soak"));
}

static int fill(int fd)
{
	__u32 key = 1;
	__u64 value = 1;

	if (bpf(BPF_MAP_UPDATE_ELEM, ATTR(.map_fd = fd, .key = address(&key),
					  .value = address(&value))))
		return -1;
	return bpf(BPF_MAP_DELETE_ELEM, ATTR(.map_fd = fd, .key = address(&key)));
}

static int by_pin(int fd, const char *path)
{
	int again;

	if (bpf(BPF_OBJ_PIN, ATTR(.bpf_fd = fd, .pathname = address(path))))
		return -1;
	again = bpf(BPF_OBJ_GET, ATTR(.pathname = address(path)));
	if (again >= 0)
		close(again);
	return unlink(path) || again < 0 ? -1 : 0;
}

static int step_map(const struct worker *worker)
{
	int fd = make_map(), failed;
	char path[256];

	if (fd < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/%u", directory, worker->number);
	failed = fill(fd) || by_pin(fd, path);
	close(fd);
	return failed ? -1 : 0;
}

/* `helper` is called first; 0: none. */
static int load(int type, int attach_type, int helper)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_JMP | (helper ? BPF_CALL : BPF_JA), .imm = helper },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf(BPF_PROG_LOAD, ATTR(.prog_type = type, .expected_attach_type = attach_type,
				       .insns = address(code), .insn_cnt = COUNT(code),
				       .license = address("GPL"), .prog_name = "wl_soak"));
}

static int close_both(int program, int link)
{
	if (program >= 0)
		close(program);
	if (link >= 0)
		close(link);
	return program < 0 || link < 0 ? -1 : 0;
}

static int step_trace(const struct worker *worker)
{
	int program = load(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0), link = -1;

	(void)worker;
	if (program >= 0)
		link = bpf(BPF_RAW_TRACEPOINT_OPEN,
			   ATTR(.raw_tracepoint = { .name = address("sched_process_exit"),
						    .prog_fd = program }));
	return close_both(program, link);
}

static int attach_and_detach(int program)
{
	union bpf_attr attr = { .target_fd = cgroup, .attach_bpf_fd = program,
				.attach_type = BPF_CGROUP_INET_EGRESS,
				.attach_flags = BPF_F_ALLOW_MULTI };

	if (bpf(BPF_PROG_ATTACH, &attr))
		return -1;
	attr.attach_flags = 0;
	return bpf(BPF_PROG_DETACH, &attr);
}

static int step_cgroup(const struct worker *worker)
{
	int program = load(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, 0), link = -1;

	(void)worker;
	if (program >= 0 && !attach_and_detach(program))
		link = bpf(BPF_LINK_CREATE,
			   ATTR(.link_create = { .prog_fd = program, .target_fd = cgroup,
						 .attach_type = BPF_CGROUP_INET_EGRESS }));
	return close_both(program, link);
}

static int step_refused(const struct worker *worker)
{
	int program = load(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, BPF_FUNC_ktime_get_ns);

	(void)worker;
	if (program >= 0)
		close(program);
	return program < 0 && errno == EPERM ? 0 : -1;
}

static int ended(pid_t pid)
{
	int status = -1;

	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static int step_fork(const struct worker *worker)
{
	pid_t pid = fork();

	(void)worker;
	if (pid == 0)
		_exit(make_map() < 0);
	return ended(pid);
}

static int step_exec(const struct worker *worker)
{
	pid_t pid = fork();

	(void)worker;
	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		_exit(127);
	}
	return ended(pid);
}

static void *work(void *argument)
{
	static int (*const STEP[STEPS])(const struct worker *) = {
		step_map, step_trace, step_cgroup, step_refused, step_fork, step_exec,
	};
	struct worker *worker = argument;

	while (time(NULL) < until) {
		for (int i = 0; i < STEPS; i++) {
			worker->done[i]++;
			if (!STEP[i](worker))
				continue;
			worker->failed[i]++;
			worker->error = errno;
		}
	}
	return NULL;
}

static unsigned long print_totals(const struct worker *workers, unsigned int count)
{
	unsigned long all_failed = 0;

	for (int step = 0; step < STEPS; step++) {
		unsigned long done = 0, failed = 0;

		for (unsigned int i = 0; i < count; i++) {
			done += workers[i].done[step];
			failed += workers[i].failed[step];
			if (workers[i].failed[step])
				fprintf(stderr, "%s: %s\n", STEP_NAMES[step],
					strerror(workers[i].error));
		}
		printf("{\"step\":\"%s\",\"done\":%lu,\"failed\":%lu,\"pid\":%d}\n",
		       STEP_NAMES[step], done, failed, getpid());
		all_failed += failed;
	}
	return all_failed;
}

int main(int argc, char **argv)
{
	unsigned int threads = argc == 5 ? strtoul(argv[1], NULL, 10) : 0;
	struct worker *workers;

	if (threads < 1 || threads > 1024) {
		fprintf(stderr, "usage: soak THREADS SECONDS DIRECTORY CGROUP\n");
		return 64;
	}
	until = time(NULL) + strtol(argv[2], NULL, 10);
	directory = argv[3];
	cgroup = open(argv[4], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	workers = calloc(threads, sizeof(*workers));
	if (cgroup < 0 || !workers)
		return 71;
	for (unsigned int i = 0; i < threads; i++) {
		workers[i].number = i;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 71;
	}
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	return print_totals(workers, threads) ? 1 : 0;
}
