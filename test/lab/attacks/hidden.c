// SPDX-License-Identifier: Apache-2.0
/* Family hidden: the forbidden program, brought in where a guard might not look. */
#include "lab.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define LATE_INSNS 100000
#define TOCTOU_TRIES 1500
#define HARMLESS BPF_FUNC_get_current_pid_tgid
#define CALL_AT 5	       /* where the forbidden program has its call */

static struct outcome by_fd(int fd, const char *how)
{
	if (fd < 0)
		return failed(how);
	return writes_mark(fd) ? gained(how) : futile(how);
}

static struct outcome plain(void)
{
	struct bpf_insn code[FORBIDDEN_INSNS];
	_cleanup_fd_ int fd = -1;

	put_forbidden(code);
	fd = load_code(BPF_PROG_TYPE_RAW_TRACEPOINT, code, FORBIDDEN_INSNS - 1);
	return by_fd(fd, "PROG_LOAD");
}

static int compat_bpf(int command, void *attr, unsigned int size)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(357L), "b"((long)command), "c"((long)attr), "d"((long)size)
			 : "memory", "r8", "r9", "r10", "r11");
	if ((int)result >= 0)
		return (int)result;
	errno = -(int)result;
	return -1;
}

/* The old gate of 32-bit programs, which tracepoints of the 64-bit call miss. */
static struct outcome int80(void)
{
	union bpf_attr *attr = mmap(NULL, sizeof(*attr), PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	struct bpf_insn code[FORBIDDEN_INSNS];
	_cleanup_fd_ int fd = -1;

	if (attr == MAP_FAILED)
		return failed("mmap");
	put_forbidden(code);
	attr->prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	attr->insns = address(code);
	attr->insn_cnt = FORBIDDEN_INSNS - 1;
	attr->license = address("GPL");
	fd = compat_bpf(BPF_PROG_LOAD, attr, sizeof(*attr));
	return by_fd(fd, "PROG_LOAD by int 0x80");
}

static struct outcome task32(void)
{
	char *const argv[] = { "/usr/local/bin/attack32", NULL };
	int status = spawn(argv);

	errno = status;
	if (!status)
		return gained("PROG_LOAD by a 32-bit task");
	return status < 0 ? futile("no 32-bit task here") : failed("PROG_LOAD by a 32-bit task");
}

/* The call stands in a function of the program, not in its body. */
static struct outcome subprogram(void)
{
	const struct bpf_insn code[] = {
		LOAD(BPF_DW, 1, 1, 0),
		CALL_SUBPROGRAM(1),
		EXIT(),
		STORE_IMM(BPF_DW, 10, -8, MARK),
		MOV_REG(2, 10),
		ADD_IMM(2, -8),
		MOV_IMM(3, 8),
		CALL(BPF_FUNC_probe_write_user),
		MOV_IMM(0, 0),
		EXIT(),
	};
	_cleanup_fd_ int fd = load_code(BPF_PROG_TYPE_RAW_TRACEPOINT, code, COUNT(code));

	return by_fd(fd, "PROG_LOAD");
}

/* The call stands behind more instructions than a scan with a small bound looks at. */
static struct outcome late(void)
{
	struct bpf_insn *code = calloc(LATE_INSNS + FORBIDDEN_INSNS, sizeof(*code));
	_cleanup_fd_ int fd = -1;

	for (int i = 0; i < LATE_INSNS; i++)
		code[i] = MOV_IMM(0, 0);
	put_forbidden(code + LATE_INSNS);
	fd = load_code(BPF_PROG_TYPE_RAW_TRACEPOINT, code, LATE_INSNS + FORBIDDEN_INSNS - 1);
	free(code);
	return by_fd(fd, "PROG_LOAD");
}

static atomic_bool over;

/* Another thread rewrites the call between two looks at it. */
static void *flip(void *code)
{
	volatile struct bpf_insn *insns = code;

	while (!atomic_load(&over)) {
		insns[CALL_AT].imm = HARMLESS;
		insns[CALL_AT].imm = BPF_FUNC_probe_write_user;
	}
	return NULL;
}

static struct outcome toctou(void)
{
	struct bpf_insn code[FORBIDDEN_INSNS];
	struct outcome outcome = futile("PROG_LOAD while a thread rewrites it");
	pthread_t thread;

	put_forbidden(code);
	if (pthread_create(&thread, NULL, flip, code))
		return failed("pthread_create");
	for (int i = 0; i < TOCTOU_TRIES && !outcome.gained; i++) {
		_cleanup_fd_ int fd = load_code(BPF_PROG_TYPE_RAW_TRACEPOINT, code,
						FORBIDDEN_INSNS - 1);

		if (fd >= 0 && writes_mark(fd))
			outcome.gained = true;
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	return outcome;
}

#define BLOB_SIZE 1024
#define BLOB_LICENSE 256
#define BLOB_INSNS 512

/* A program of type SYSCALL that loads what lies in a map, as light skeletons do. */
static int load_nested(const struct bpf_insn *code, unsigned int count)
{
	_cleanup_fd_ int map = make_map(BPF_MAP_TYPE_ARRAY, 4, BLOB_SIZE, 1, 0);
	union bpf_attr inner = { .prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT, .insn_cnt = count };
	const struct bpf_insn loader[] = {
		LOAD_64(6, BPF_PSEUDO_MAP_VALUE, map, 0),
		MOV_REG(1, 6),
		ADD_IMM(1, BLOB_INSNS),
		STORE_REG(BPF_DW, 6, 1, offsetof(union bpf_attr, insns)),
		MOV_REG(1, 6),
		ADD_IMM(1, BLOB_LICENSE),
		STORE_REG(BPF_DW, 6, 1, offsetof(union bpf_attr, license)),
		MOV_IMM(1, BPF_PROG_LOAD),
		MOV_REG(2, 6),
		MOV_IMM(3, sizeof(inner)),
		CALL(BPF_FUNC_sys_bpf),
		EXIT(),
	};
	union bpf_attr run = {};
	char blob[BLOB_SIZE] = "";

	memcpy(blob, &inner, sizeof(inner));
	strcpy(blob + BLOB_LICENSE, "GPL");
	memcpy(blob + BLOB_INSNS, code, count * sizeof(*code));
	if (map_put(map, 0, blob))
		return -1;
	run.test.prog_fd = load(&(struct program){ .type = BPF_PROG_TYPE_SYSCALL, .code = loader,
						   .count = COUNT(loader),
						   .flags = BPF_F_SLEEPABLE });
	if ((int)run.test.prog_fd < 0 || bpf(BPF_PROG_TEST_RUN, &run))
		return -1;
	if ((int)run.test.retval < 0)
		errno = -(int)run.test.retval;
	return (int)run.test.retval < 0 ? -1 : (int)run.test.retval;
}

static struct outcome light_skeleton(void)
{
	struct bpf_insn code[FORBIDDEN_INSNS];
	_cleanup_fd_ int fd = -1;

	put_forbidden(code);
	fd = load_nested(code, FORBIDDEN_INSNS - 1);
	return by_fd(fd, "PROG_LOAD by bpf_sys_bpf");
}

/* A user other than root that kept its capabilities, as in a container. */
static struct outcome capable_user(void)
{
	return become(10001) ? failed("setuid") : plain();
}

const struct attack hidden_attacks[] = {
	{ "load-plain", plain },
	{ "load-int80", int80 },
	{ "load-32bit", task32 },
	{ "load-subprogram", subprogram },
	{ "load-late", late },
	{ "load-toctou", toctou },
	{ "load-light-skeleton", light_skeleton },
	{ "load-capable-user", capable_user },
	{},
};
