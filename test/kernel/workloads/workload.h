/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the workloads share: bpf(2) by hand, and one line of JSON for each act, which is the truth
 * that a test compares with what the probes saw. Ids come from /proc, so that asking for one is no
 * act.
 */
#ifndef WARDEN_WORKLOAD_H
#define WARDEN_WORKLOAD_H

#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Any error will do: kernels differ. */
#define ANY_ERROR (-1)
/* Success or any error. */
#define ANY_RESULT (-2)

struct act {
	int command;
	union bpf_attr *attr;
	unsigned int size;     /* 0: the whole union */
	int expect;	       /* 0, an errno, ANY_ERROR or ANY_RESULT */
	int count;	       /* calls to make; 0: one */
	long on;	       /* fd of the object that the call works on; 0: none */
	const char *name;      /* of the object, as claimed */
	const char *note;
	bool compat;	       /* by int 0x80: attr must lie below 4 GiB */
	const char *outside;   /* an act that is not bpf(2), by its name in the log; no command */
};

static const char *const COMMAND_NAMES[] = {
	"MAP_CREATE", "MAP_LOOKUP_ELEM", "MAP_UPDATE_ELEM", "MAP_DELETE_ELEM", "MAP_GET_NEXT_KEY",
	"PROG_LOAD", "OBJ_PIN", "OBJ_GET", "PROG_ATTACH", "PROG_DETACH", "PROG_TEST_RUN",
	"PROG_GET_NEXT_ID", "MAP_GET_NEXT_ID", "PROG_GET_FD_BY_ID", "MAP_GET_FD_BY_ID",
	"OBJ_GET_INFO_BY_FD", "PROG_QUERY", "RAW_TRACEPOINT_OPEN", "BTF_LOAD", "BTF_GET_FD_BY_ID",
	"TASK_FD_QUERY", "MAP_LOOKUP_AND_DELETE_ELEM", "MAP_FREEZE", "BTF_GET_NEXT_ID",
	"MAP_LOOKUP_BATCH", "MAP_LOOKUP_AND_DELETE_BATCH", "MAP_UPDATE_BATCH", "MAP_DELETE_BATCH",
	"LINK_CREATE", "LINK_UPDATE", "LINK_GET_FD_BY_ID", "LINK_GET_NEXT_ID", "ENABLE_STATS",
	"ITER_CREATE", "LINK_DETACH", "PROG_BIND_MAP", "TOKEN_CREATE", "PROG_STREAM_READ_BY_FD",
};

/* Commands without a name are printed by number, as the decoder does. */
static inline const char *command_name(int command)
{
	static char number[16];

	if (command >= 0 && command < (int)COUNT(COMMAND_NAMES))
		return COMMAND_NAMES[command];
	snprintf(number, sizeof(number), "%d", command);
	return number;
}

static inline long compat_bpf(int command, union bpf_attr *attr, unsigned int size)
{
#if defined(__x86_64__)
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(357L), "b"((long)command), "c"((long)attr), "d"((long)size)
			 : "memory", "r8", "r9", "r10", "r11");
	if ((int)result >= 0)
		return (int)result;
	errno = -(int)result;
	return -1;
#else
	(void)command, (void)attr, (void)size;
	errno = ENOSYS;
	return -1;
#endif
}

/* The first line of FD's fdinfo that begins with `key`, as a number; 0 when there is none. */
static inline unsigned int fd_info(long fd, const char *key)
{
	char path[64], line[256];
	unsigned int id = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%ld", fd);
	file = fopen(path, "re");
	while (file && !id && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), ":%u", &id);
	if (file)
		fclose(file);
	return id;
}

static inline int put_ids(char *text, int size, long fd)
{
	static const char *const keys[] = { "map_id", "link_id", "prog_id" };

	for (size_t i = 0; i < COUNT(keys); i++) {
		unsigned int id = fd_info(fd, keys[i]);

		if (id)
			return snprintf(text, size, ",\"%s\":%u", keys[i], id);
	}
	return 0;
}

static inline bool returns_fd(int command)
{
	switch (command) {
	case BPF_MAP_CREATE:
	case BPF_PROG_LOAD:
	case BPF_OBJ_GET:
	case BPF_PROG_GET_FD_BY_ID:
	case BPF_MAP_GET_FD_BY_ID:
	case BPF_LINK_GET_FD_BY_ID:
	case BPF_RAW_TRACEPOINT_OPEN:
	case BPF_LINK_CREATE:
		return true;
	default:
		return false;
	}
}

/* Numbers that user space has no name for (524) are printed as such. */
static inline const char *error_name(int error)
{
	static char number[16];
	const char *name = strerrorname_np(error);

	snprintf(number, sizeof(number), "%d", error);
	return name ? name : number;
}

/* One line, one write: several processes may share the output. */
static inline void print_act(const struct act *act, long result, int error)
{
	char line[1024];
	int at = snprintf(line, sizeof(line),
			  "{\"command\":\"%s\",\"result\":%ld,\"errno\":%s%s%s,\"count\":%d,"
			  "\"pid\":%d,\"tid\":%d,\"uid\":%d,\"compat\":%s",
			  act->outside ? act->outside : command_name(act->command),
			  error ? -(long)error : result,
			  error ? "\"" : "", error ? error_name(error) : "null",
			  error ? "\"" : "", act->count ? act->count : 1, getpid(),
			  (int)syscall(SYS_gettid), getuid(), act->compat ? "true" : "false");

	if (act->name)
		at += snprintf(line + at, sizeof(line) - at, ",\"name\":\"%s\"", act->name);
	if (act->outside)
		at += snprintf(line + at, sizeof(line) - at, ",\"via\":\"syscall\"");
	if (act->note)
		at += snprintf(line + at, sizeof(line) - at, ",\"note\":\"%s\"", act->note);
	if (!error && !act->outside && returns_fd(act->command))
		at += put_ids(line + at, sizeof(line) - at, result);
	else if (act->on > 0)
		at += put_ids(line + at, sizeof(line) - at, act->on);
	at += snprintf(line + at, sizeof(line) - at, "}\n");
	if (write(STDOUT_FILENO, line, at) != at)
		_exit(2);
}

static int unexpected;

/* Makes the act, prints it, checks it. Returns what bpf(2) returned. */
static inline long act(struct act act)
{
	unsigned int size = act.size ? act.size : sizeof(union bpf_attr);
	long result = -1;
	int error = 0;

	for (int i = 0; i < (act.count ? act.count : 1); i++)
		result = act.compat ? compat_bpf(act.command, act.attr, size) :
				      syscall(SYS_bpf, act.command, act.attr, size);
	if (result < 0)
		error = errno;
	print_act(&act, result, error);
	if (act.expect == ANY_RESULT || (act.expect == ANY_ERROR && error) || act.expect == error)
		return result;
	fprintf(stderr, "%s: got errno %d, expected %d\n", command_name(act.command), error,
		act.expect);
	unexpected++;
	return result;
}

#define ACT(number, attributes, ...) \
	act((struct act){ .command = number, .attr = attributes, ##__VA_ARGS__ })
#define ATTR(...) (&(union bpf_attr){ __VA_ARGS__ })

static inline unsigned long address(const void *pointer)
{
	return (unsigned long)pointer;
}

#endif /* WARDEN_WORKLOAD_H */
