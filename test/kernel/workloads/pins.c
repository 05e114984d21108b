/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects in directories of a bpffs. Prints one line of JSON for each try: 0 or the errno, and the
 * object's number where there is one. Several tries in a row have a + between them.
 *
 *	pins map PATH NAME	make a map of that name and pin it
 *	pins program PATH HELPER	load a kprobe program that calls the helper, and pin it
 *	pins get PATH read|write	open what is pinned there
 *	pins map-by-id ID	pins link-by-id ID
 *	pins rename FROM TO	pins hard-link FROM TO	pins unlink PATH
 *	pins seize PID	trace a process
 */
#include "workload.h"

#include <stdint.h>
#include <sys/ptrace.h>

static const char *doing;

static int say(long result, int id)
{
	printf("{\"try\":\"%s\",\"errno\":%d,\"id\":%d}\n", doing, result < 0 ? errno : 0, id);
	fflush(stdout);
	return result < 0;
}

static long sys_bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int pin(int fd, const char *path)
{
	union bpf_attr attr = { .pathname = (uintptr_t)path, .bpf_fd = fd };
	int id = fd < 0 ? 0 : (int)fd_info(fd, "map_id");

	return say(fd < 0 ? fd : sys_bpf(BPF_OBJ_PIN, &attr), id);
}

static int make_map(const char *path, const char *name)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_HASH,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 4,
	};

	strncpy(attr.map_name, name, sizeof(attr.map_name) - 1);
	return pin((int)sys_bpf(BPF_MAP_CREATE, &attr), path);
}

static int load_program(const char *path, const char *helper)
{
	struct bpf_insn program[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = atoi(helper) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_KPROBE,
		.insns = (uintptr_t)program,
		.insn_cnt = COUNT(program),
		.license = (uintptr_t)"GPL",
	};

	return pin((int)sys_bpf(BPF_PROG_LOAD, &attr), path);
}

static int get(const char *path, const char *how)
{
	union bpf_attr attr = { .pathname = (uintptr_t)path };

	if (!strcmp(how, "read"))
		attr.file_flags = BPF_F_RDONLY;
	return say(sys_bpf(BPF_OBJ_GET, &attr), 0);
}

static int by_id(int command, const char *id)
{
	union bpf_attr attr = { .map_id = atoi(id) };

	return say(sys_bpf(command, &attr), 0);
}

static int attempt(char **words, int count)
{
	doing = words[0];
	if (!strcmp(doing, "map") && count == 3)
		return make_map(words[1], words[2]);
	if (!strcmp(doing, "program") && count == 3)
		return load_program(words[1], words[2]);
	if (!strcmp(doing, "get") && count == 3)
		return get(words[1], words[2]);
	if (!strcmp(doing, "map-by-id") && count == 2)
		return by_id(BPF_MAP_GET_FD_BY_ID, words[1]);
	if (!strcmp(doing, "link-by-id") && count == 2)
		return by_id(BPF_LINK_GET_FD_BY_ID, words[1]);
	if (!strcmp(doing, "rename") && count == 3)
		return say(rename(words[1], words[2]), 0);
	if (!strcmp(doing, "hard-link") && count == 3)
		return say(link(words[1], words[2]), 0);
	if (!strcmp(doing, "unlink") && count == 2)
		return say(unlink(words[1]), 0);
	if (!strcmp(doing, "seize") && count == 2)
		return say(ptrace(PTRACE_SEIZE, atoi(words[1]), NULL, NULL), 0);
	fprintf(stderr, "pins: %s with %d words: see the top of pins.c\n", doing, count);
	return 64;
}

int main(int count, char **words)
{
	int from = 1, code = 0;

	for (int at = 1; at <= count; at++) {
		if (at < count && strcmp(words[at], "+"))
			continue;
		if (at > from)
			code = attempt(words + from, at - from);
		from = at + 1;
	}
	return code;
}
