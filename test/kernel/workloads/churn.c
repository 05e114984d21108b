/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short-lived processes: CHILDREN children, PARALLEL at a time, each of which makes one act, prints
 * it and exits.
 *
 *	churn CHILDREN [PARALLEL]
 */
#include "workload.h"

#include <sys/wait.h>

static bool wait_one(void)
{
	int status = 0;

	return wait(&status) > 0 && status == 0;
}

static bool start_one(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		ACT(BPF_MAP_CREATE, ATTR(.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
					 .value_size = 4, .max_entries = 1,
					 .map_name = "wl_churn"), .name = "wl_churn");
		_exit(unexpected ? 1 : 0);
	}
	return pid > 0;
}

int main(int argc, char **argv)
{
	unsigned long children = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long parallel = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	unsigned long running = 0;
	bool good = true;

	if (children < 1 || parallel < 1) {
		fprintf(stderr, "usage: churn CHILDREN [PARALLEL]\n");
		return 64;
	}
	for (unsigned long i = 0; i < children; i++) {
		if (running == parallel) {
			good = wait_one() && good;
			running--;
		}
		good = start_one() && good;
		running++;
	}
	for (; running > 0; running--)
		good = wait_one() && good;
	return good ? 0 : 1;
}
