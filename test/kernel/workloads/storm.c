/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many calls as fast as they go, to overflow a ring.
 *
 *	storm THREADS CALLS	each thread makes CALLS calls: of a hundred, 49 of an unknown
 *				command, 49 MAP_GET_NEXT_ID, 1 MAP_CREATE, 1 MAP_LOOKUP_ELEM
 *
 * Prints its totals by command and errno, one line each.
 */
#include "workload.h"

#include <pthread.h>

#define UNKNOWN_COMMAND 63     /* granted by a mask of all commands, so that it is no denial */
#define ERRNO_MAX 134

enum call {
	CALL_UNKNOWN,
	CALL_NEXT_ID,
	CALL_CREATE,
	CALL_LOOKUP,
	CALLS,
};

static const int COMMANDS[CALLS] = { UNKNOWN_COMMAND, BPF_MAP_GET_NEXT_ID, BPF_MAP_CREATE,
				     BPF_MAP_LOOKUP_ELEM };

struct worker {
	pthread_t thread;
	unsigned long calls;
	unsigned long totals[CALLS][ERRNO_MAX];
};

static enum call choose(unsigned long i)
{
	unsigned long slot = i % 100;

	if (slot == 98)
		return CALL_CREATE;
	if (slot == 99)
		return CALL_LOOKUP;
	return slot % 2 ? CALL_NEXT_ID : CALL_UNKNOWN;
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	for (unsigned long i = 0; i < worker->calls; i++) {
		enum call call = choose(i);
		union bpf_attr attr = {};
		long result;

		if (call == CALL_CREATE)
			attr = (union bpf_attr){ .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
						 .value_size = 4, .max_entries = 1,
						 .map_name = "wl_storm" };
		if (call == CALL_LOOKUP)
			attr.map_fd = 9999;
		result = syscall(SYS_bpf, COMMANDS[call], &attr, sizeof(attr));
		worker->totals[call][result < 0 ? errno : 0]++;
		if (call == CALL_CREATE && result >= 0)
			close(result);
	}
	return NULL;
}

static void print_totals(const struct worker *workers, unsigned int count)
{
	for (int call = 0; call < CALLS; call++) {
		for (int error = 0; error < ERRNO_MAX; error++) {
			unsigned long total = 0;

			for (unsigned int i = 0; i < count; i++)
				total += workers[i].totals[call][error];
			if (!total)
				continue;
			printf("{\"command\":\"%s\",\"errno\":%s%s%s,\"count\":%lu,\"pid\":%d,"
			       "\"uid\":%d}\n", command_name(COMMANDS[call]), error ? "\"" : "",
			       error ? error_name(error) : "null", error ? "\"" : "", total,
			       getpid(), getuid());
		}
	}
}

int main(int argc, char **argv)
{
	unsigned int threads = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long calls = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	struct worker *workers;

	if (threads < 1 || threads > 1024 || calls < 1) {
		fprintf(stderr, "usage: storm THREADS CALLS\n");
		return 64;
	}
	workers = calloc(threads, sizeof(*workers));
	if (!workers)
		return 71;
	for (unsigned int i = 0; i < threads; i++) {
		workers[i].calls = calls;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 71;
	}
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	print_totals(workers, threads);
	free(workers);
	return 0;
}
