/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every bpf(2) command at least once, with successes and failures.
 *
 *	acts DIR [UID]		DIR: an empty directory in a bpffs; UID: unprivileged, 65534
 *
 * Exits with 0 only if every act went as expected.
 */
#include "workload.h"

#include <fcntl.h>
#include <linux/btf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define ROUNDS 10
#define TASK_FD_QUERY_SIZE 48

static long make_map(enum bpf_map_type type, const char *name, unsigned int entries, int expect)
{
	union bpf_attr attr = { .map_type = type, .max_entries = entries };

	if (type != BPF_MAP_TYPE_RINGBUF)
		attr.key_size = attr.value_size = 4;
	strncpy(attr.map_name, name, sizeof(attr.map_name) - 1);
	return ACT(BPF_MAP_CREATE, &attr, .expect = expect, .name = name);
}

static void use_map(long map)
{
	unsigned int key = 1, value = 7, next, missing = 99;
	union bpf_attr element = { .map_fd = map, .key = address(&key), .value = address(&value) };
	union bpf_attr absent = { .map_fd = map, .key = address(&missing),
				  .value = address(&value) };

	ACT(BPF_MAP_UPDATE_ELEM, &element, .count = ROUNDS, .on = map);
	ACT(BPF_MAP_LOOKUP_ELEM, &element, .count = ROUNDS, .on = map);
	ACT(BPF_MAP_LOOKUP_ELEM, &absent, .expect = ENOENT, .count = ROUNDS, .on = map);
	ACT(BPF_MAP_GET_NEXT_KEY, ATTR(.map_fd = map, .next_key = address(&next)), .on = map);
	ACT(BPF_MAP_LOOKUP_AND_DELETE_ELEM, &element, .on = map);
	ACT(BPF_MAP_DELETE_ELEM, ATTR(.map_fd = map, .key = address(&key)), .expect = ENOENT,
	    .on = map);
	element.map_fd = 9999;
	ACT(BPF_MAP_LOOKUP_ELEM, &element, .expect = EBADF);
}

static void use_batches(long map)
{
	unsigned int keys[4] = { 1, 2, 3, 4 }, values[4] = { 5, 6, 7, 8 }, cursor = 0;
	union bpf_attr attr = { .batch = { .keys = address(keys), .values = address(values),
					   .count = 4, .map_fd = map } };

	ACT(BPF_MAP_UPDATE_BATCH, &attr, .on = map);
	attr.batch.out_batch = address(&cursor);
	attr.batch.count = 64;
	ACT(BPF_MAP_LOOKUP_BATCH, &attr, .expect = ANY_RESULT, .on = map);
	ACT(BPF_MAP_LOOKUP_AND_DELETE_BATCH, &attr, .expect = ANY_RESULT, .on = map);
	attr.batch.count = 1;
	ACT(BPF_MAP_DELETE_BATCH, &attr, .expect = ANY_RESULT, .on = map);
}

static long load_program(enum bpf_prog_type type, const char *name, const struct bpf_insn *insns,
			 unsigned int count, int expect)
{
	static char log[4096];
	union bpf_attr attr = { .prog_type = type, .insn_cnt = count, .insns = address(insns),
				.license = address("GPL"), .log_buf = address(log),
				.log_size = sizeof(log), .log_level = 1 };

	strncpy(attr.prog_name, name, sizeof(attr.prog_name) - 1);
	return ACT(BPF_PROG_LOAD, &attr, .expect = expect, .name = name);
}

static const struct bpf_insn RETURN_0[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

/* Leaves without a value in r0: the verifier must refuse it. */
static const struct bpf_insn RETURN_NOTHING[] = { { .code = BPF_JMP | BPF_EXIT } };

static void pin_and_get(const char *dir, long map)
{
	char path[4096];
	long fd;

	snprintf(path, sizeof(path), "%s/wl_pin", dir);
	ACT(BPF_OBJ_PIN, ATTR(.pathname = address(path), .bpf_fd = map), .note = path, .on = map);
	ACT(BPF_OBJ_PIN, ATTR(.pathname = address(path), .bpf_fd = map), .expect = EEXIST,
	    .note = path, .on = map);
	fd = ACT(BPF_OBJ_GET, ATTR(.pathname = address(path)), .note = path);
	if (fd >= 0)
		close(fd);
	print_act(&(struct act){ .outside = "PIN_UNLINK", .on = map }, unlink(path), 0);
	ACT(BPF_OBJ_GET, ATTR(.pathname = address(path)), .expect = ENOENT, .note = path);
}

static void walk_ids(void)
{
	static const int next[] = { BPF_PROG_GET_NEXT_ID, BPF_MAP_GET_NEXT_ID,
				    BPF_BTF_GET_NEXT_ID, BPF_LINK_GET_NEXT_ID };
	static const int get[] = { BPF_PROG_GET_FD_BY_ID, BPF_MAP_GET_FD_BY_ID,
				   BPF_BTF_GET_FD_BY_ID, BPF_LINK_GET_FD_BY_ID };

	for (size_t i = 0; i < COUNT(next); i++) {
		union bpf_attr attr = { .start_id = 0 };
		long fd;

		if (ACT(next[i], &attr, .expect = ANY_RESULT))
			continue;
		fd = ACT(get[i], ATTR(.prog_id = attr.next_id));
		if (fd >= 0)
			close(fd);
		ACT(get[i], ATTR(.prog_id = 0x7fffffff), .expect = ENOENT);
	}
}

static void ask_about(long map, long program)
{
	struct bpf_map_info info = {};
	char packet[64] = "";

	ACT(BPF_OBJ_GET_INFO_BY_FD,
	    ATTR(.info = { .bpf_fd = map, .info_len = sizeof(info), .info = address(&info) }),
	    .on = map);
	ACT(BPF_PROG_TEST_RUN, ATTR(.test = { .prog_fd = program, .data_in = address(packet),
					      .data_size_in = sizeof(packet) }), .on = program);
	ACT(BPF_PROG_QUERY, ATTR(.query = { .target_fd = -1 }), .expect = ANY_ERROR);
	ACT(BPF_TASK_FD_QUERY, ATTR(.task_fd_query = { .pid = getpid(), .fd = 0 }),
	    .size = TASK_FD_QUERY_SIZE, .expect = ANY_ERROR);
	ACT(BPF_PROG_BIND_MAP, ATTR(.prog_bind_map = { .prog_fd = program, .map_fd = map }),
	    .on = program);
	ACT(BPF_MAP_FREEZE, ATTR(.map_fd = map), .on = map);
}

static void load_btf(void)
{
	struct {
		struct btf_header head;
		__u32 type[4];
		char strings[8];
	} btf = {
		.head = { .magic = BTF_MAGIC, .version = BTF_VERSION, .hdr_len = sizeof(btf.head),
			  .type_len = sizeof(btf.type), .str_off = sizeof(btf.type),
			  .str_len = 5 },
		.type = { 1, BTF_KIND_INT << 24, 4, BTF_INT_SIGNED << 24 | 32 },
		.strings = "\0int",
	};
	long fd = ACT(BPF_BTF_LOAD, ATTR(.btf = address(&btf), .btf_size = sizeof(btf.head) +
					 sizeof(btf.type) + 5));

	if (fd >= 0)
		close(fd);
}

static void attach_things(long filter)
{
	static const char point[] = "sched_process_exec";
	long program = load_program(BPF_PROG_TYPE_RAW_TRACEPOINT, "wl_raw", RETURN_0,
				    COUNT(RETURN_0), 0);
	long link = ACT(BPF_RAW_TRACEPOINT_OPEN,
			ATTR(.raw_tracepoint = { .name = address(point), .prog_fd = program }),
			.note = point);

	ACT(BPF_LINK_UPDATE, ATTR(.link_update = { .link_fd = link, .new_prog_fd = program }),
	    .expect = EINVAL, .on = link);
	ACT(BPF_LINK_DETACH, ATTR(.link_detach = { .link_fd = link }), .expect = EOPNOTSUPP,
	    .on = link);
	ACT(BPF_ITER_CREATE, ATTR(.iter_create = { .link_fd = link }), .expect = EINVAL,
	    .on = link);
	ACT(BPF_LINK_CREATE, ATTR(.link_create = { .prog_fd = -1, .attach_type = BPF_TRACE_ITER }),
	    .expect = EBADF);
	ACT(BPF_PROG_ATTACH, ATTR(.target_fd = -1, .attach_bpf_fd = filter,
				  .attach_type = BPF_CGROUP_INET_INGRESS), .expect = ANY_ERROR,
	    .on = filter);
	ACT(BPF_PROG_DETACH, ATTR(.target_fd = -1, .attach_type = BPF_CGROUP_INET_INGRESS),
	    .expect = ANY_ERROR);
	if (link >= 0)
		close(link);
	if (program >= 0)
		close(program);
}

static void odd_calls(const char *dir)
{
	char large[256] = "";
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long stats = ACT(BPF_ENABLE_STATS, ATTR(.enable_stats = { .type = BPF_STATS_RUN_TIME }));

	if (stats >= 0)
		close(stats);
	ACT(36, ATTR(.map_type = 0, .key_size = dir_fd), .size = 8, .expect = ANY_ERROR,
	    .note = "token");
	ACT(37, ATTR(.map_type = 0), .size = 24, .expect = ANY_ERROR, .note = "stream");
	ACT(63, ATTR(.map_type = 0), .expect = EINVAL, .note = "unknown command");
	ACT(9999, ATTR(.map_type = 0), .expect = EINVAL, .note = "unknown command");
	large[sizeof(large) - 1] = 1;
	ACT(BPF_MAP_CREATE, (void *)large, .size = sizeof(large), .expect = E2BIG,
	    .note = "attributes with a tail");
	ACT(BPF_MAP_CREATE, (void *)1, .size = 8, .expect = EFAULT, .note = "bad pointer");
	close(dir_fd);
}

/* In a child, so that what it changes in itself stays there. Its act count is its own. */
static void in_child(void (*body)(unsigned int), unsigned int argument)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		unexpected = 0;
		body(argument);
		_exit(unexpected ? 1 : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
		unexpected++;
}

static void unprivileged(unsigned int uid)
{
	if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		_exit(1);
	ACT(BPF_PROG_GET_NEXT_ID, ATTR(.start_id = 0), .expect = EPERM);
	ACT(BPF_MAP_CREATE, ATTR(.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4,
				 .max_entries = 1), .expect = ANY_RESULT);
}

/* int 0x80 dies of SIGSEGV where 32-bit calls are off: only the child does. */
static void by_int80(unsigned int unused)
{
	union bpf_attr *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	(void)unused;
	if (low == MAP_FAILED)
		_exit(1);
	*low = (union bpf_attr){ .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4,
				 .max_entries = 1, .map_name = "wl_compat" };
	ACT(BPF_MAP_CREATE, low, .name = "wl_compat", .compat = true);
	ACT(9999, low, .expect = EINVAL, .compat = true);
}

/* bpf(2) refused before it begins. */
static void under_seccomp(unsigned int unused)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = COUNT(filter), .filter = filter };

	(void)unused;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0))
		_exit(1);
	ACT(BPF_MAP_GET_NEXT_ID, ATTR(.start_id = 0), .expect = EACCES, .note = "seccomp");
}

int main(int argc, char **argv)
{
	unsigned int uid = argc > 2 ? strtoul(argv[2], NULL, 10) : 65534;
	long array, hash, filter;

	if (argc < 2) {
		fprintf(stderr, "usage: acts DIR [UID]\n");
		return 64;
	}
	array = make_map(BPF_MAP_TYPE_ARRAY, "wl_array", 4, 0);
	hash = make_map(BPF_MAP_TYPE_HASH, "wl_hash", 64, 0);
	close(make_map(BPF_MAP_TYPE_RINGBUF, "wl_ring", 4096, 0));
	make_map(BPF_MAP_TYPE_HASH, "wl_empty", 0, EINVAL);
	use_map(hash);
	use_batches(hash);
	filter = load_program(BPF_PROG_TYPE_SOCKET_FILTER, "wl_filter", RETURN_0, COUNT(RETURN_0),
			      0);
	load_program(BPF_PROG_TYPE_SOCKET_FILTER, "wl_refused", RETURN_NOTHING,
		     COUNT(RETURN_NOTHING), ANY_ERROR);
	pin_and_get(argv[1], array);
	walk_ids();
	ask_about(array, filter);
	load_btf();
	attach_things(filter);
	odd_calls(argv[1]);
	in_child(unprivileged, uid);
#if defined(__x86_64__)
	in_child(by_int80, 0);
#endif
	in_child(under_seccomp, 0);
	return unexpected ? 1 : 0;
}
