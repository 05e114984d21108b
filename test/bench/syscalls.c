/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times system calls: syscalls ROUNDS. Prints one line a kind, ns per call, the best of ROUNDS:
 *   getppid 41.2
 * The best round is the one that nobody disturbed.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "best.h"

#define CALLS 100000

static int map_fd = -1;

static void call_getppid(void)
{
	syscall(SYS_getppid);
}

static void call_read(void)
{
	syscall(SYS_read, -1, NULL, 0);
}

static void call_lookup(void)
{
	uint32_t key = 0;
	uint64_t value;
	union bpf_attr attr = { 0 };

	attr.map_fd = (uint32_t)map_fd;
	attr.key = (uint64_t)(uintptr_t)&key;
	attr.value = (uint64_t)(uintptr_t)&value;
	syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr));
}

static void call_info(void)
{
	struct bpf_map_info info = { 0 };
	union bpf_attr attr = { 0 };

	attr.info.bpf_fd = (uint32_t)map_fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uint64_t)(uintptr_t)&info;
	syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
}

static int make_map(void)
{
	union bpf_attr attr = { 0 };

	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = sizeof(uint32_t);
	attr.value_size = sizeof(uint64_t);
	attr.max_entries = 1;
	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 5;

	map_fd = make_map();
	if (map_fd < 0 || rounds < 1) {
		fprintf(stderr, "syscalls: map or rounds: %s\n", strerror(errno));
		return 1;
	}
	printf("getppid %.1f\n", best(call_getppid, rounds, CALLS));
	printf("read %.1f\n", best(call_read, rounds, CALLS));
	printf("map_lookup %.1f\n", best(call_lookup, rounds, CALLS));
	printf("map_info %.1f\n", best(call_info, rounds, CALLS / 50));
	return 0;
}
