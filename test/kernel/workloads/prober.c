/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the same of bpf(2) again and again, until SIGTERM.
 *
 *	prober RATE		RATE times a second, MAP_LOOKUP_ELEM on an fd that is none
 *
 * EPERM is a refusal, EBADF is none. Every 100th time a child asks, which inherits what its parent
 * is known by. Prints one line at the end: how often each came, and the longest pause between two.
 */
#include "workload.h"

#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>

#define NS_PER_S 1000000000LL
#define CHILD_EVERY 100

static volatile sig_atomic_t over;

static void stop(int number)
{
	(void)number;
	over = 1;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* EPERM, EBADF, or what else it came to. */
static int ask(void)
{
	unsigned int key = 0, value = 0;
	union bpf_attr attr = { .map_fd = 9999, .key = address(&key), .value = address(&value) };

	return syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)) < 0 ? errno : 0;
}

static int ask_in_child(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(ask());
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

int main(int argc, char **argv)
{
	unsigned long rate = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long calls = 0, refused = 0, let_by = 0, children = 0;
	int64_t begin = now_ns(), last = begin, longest = 0;

	if (rate < 1 || rate > 1000000) {
		fprintf(stderr, "usage: prober RATE\n");
		return 64;
	}
	signal(SIGTERM, stop);
	for (; !over; calls++) {
		int64_t due = begin + (int64_t)calls * NS_PER_S / (int64_t)rate, now = now_ns();
		struct timespec until = { due / NS_PER_S, due % NS_PER_S };
		bool by_child = calls % CHILD_EVERY == CHILD_EVERY - 1;
		int error;

		/* Late, it makes up for it: as many a second, on average. */
		if (now < due)
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		error = by_child ? ask_in_child() : ask();
		children += by_child;
		refused += error == EPERM;
		let_by += error == EBADF;
		now = now_ns();
		longest = now - last > longest ? now - last : longest;
		last = now;
	}
	printf("{\"command\":\"MAP_LOOKUP_ELEM\",\"calls\":%lu,\"refused\":%lu,\"let_by\":%lu,"
	       "\"children\":%lu,\"seconds\":%.3f,\"longest_pause_ms\":%.1f,\"pid\":%d}\n",
	       calls, refused, let_by, children, (last - begin) / 1e9, longest / 1e6, getpid());
	return refused + let_by == calls ? 0 : 1;
}
