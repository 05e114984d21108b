/* SPDX-License-Identifier: Apache-2.0 */
/* Each attempt loads the smallest program that can prove the point, and removes it again. */
#include "attempt.h"

#include "cleanup.h"
#include "hooks.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SECURITYFS "/sys/kernel/security"
#define PROVOKE_TRIES 20
#define KPROBE_PMU "/sys/bus/event_source/devices/kprobe/type"

static const char LSM_SILENT[] =
	"attaches but never runs: bpf is missing from lsm= on the kernel's command line, or "
	"kernel.ftrace_enabled is 0";
static const char SILENT[] = "attaches but never runs: is kernel.ftrace_enabled 0?";

/* Where a program is attached, by the first part of its section's name. */
static const struct kind {
	const char *prefix;
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
	__u32 flags;
	const char *before;    /* what the kernel's BTF has before the target's name */
	int btf_kind;
} KINDS[] = {
	{ "lsm/", BPF_PROG_TYPE_LSM, BPF_LSM_MAC, 0, "bpf_lsm_", BTF_KIND_FUNC },
	{ "lsm.s/", BPF_PROG_TYPE_LSM, BPF_LSM_MAC, BPF_F_SLEEPABLE, "bpf_lsm_", BTF_KIND_FUNC },
	{ "fmod_ret/", BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, 0, "", BTF_KIND_FUNC },
	{ "fentry/", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, 0, "", BTF_KIND_FUNC },
	{ "fexit/", BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, 0, "", BTF_KIND_FUNC },
	{ "tp_btf/", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, 0, "btf_trace_", BTF_KIND_TYPEDEF },
	{ "iter/", BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, 0, "bpf_iter_", BTF_KIND_FUNC },
};

static void fail(struct wd_attempt *attempt, int error, const char *detail)
{
	attempt->error = error < 0 ? -error : error;
	attempt->detail = detail;
}

static const char *why_not_loaded(int error)
{
	if (error == EPERM || error == EACCES)
		return "this kernel, or what it runs under, forbids this kind of program";
	if (error == EINVAL)
		return "this kernel does not know this kind of program";
	return "the program can't be loaded";
}

static int make_counter(void)
{
	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "warden_probe", sizeof(__u32), sizeof(__u64), 1,
			      NULL);
}

/* r1 = &counter[0]; *r1 += 1 atomically; return 0 */
static int load_counting(const struct kind *kind, int btf_id, int map)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_VALUE,
		  .imm = map },
		{ .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = 1 },
		{ .code = BPF_STX | BPF_DW | BPF_ATOMIC, .dst_reg = 1, .src_reg = 2,
		  .imm = BPF_ADD },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = kind->attach,
		    .attach_btf_id = btf_id, .prog_flags = kind->flags);

	return bpf_prog_load(kind->type, "warden_probe", "Dual BSD/GPL", program, WD_COUNT(program),
			     &options);
}

static int find_target(const struct kind *kind, const char *target)
{
	const struct btf *kernel = wd_kernel_btf();
	char name[128];

	snprintf(name, sizeof(name), "%s%s", kind->before, target);
	return kernel ? btf__find_by_name_kind(kernel, name, kind->btf_kind) : -ENOENT;
}

static const struct kind *kind_of(const char *section)
{
	for (size_t i = 0; i < WD_COUNT(KINDS); i++)
		if (!strncmp(section, KINDS[i].prefix, strlen(KINDS[i].prefix)))
			return &KINDS[i];
	return NULL;
}

bool wd_hook_exists(const char *section)
{
	const struct kind *kind = kind_of(section);

	return kind && find_target(kind, section + strlen(kind->prefix)) >= 0;
}

/* Loading a program, making a map, forking: what the guard's hooks stand on the way of. */
static void provoke(void)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	_cleanup_fd_ int map = make_counter(), loaded = -1;
	char nothing[8] = "";
	pid_t child;

	/* No kernel knows the command. */
	syscall(SYS_bpf, WD_CANARY_COMMAND, nothing, sizeof(nothing));
	loaded = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "warden_probe", "Dual BSD/GPL",
			       program, WD_COUNT(program), NULL);
	child = fork();
	if (child == 0)
		_exit(0);
	if (child > 0)
		waitpid(child, NULL, 0);
}

static bool counts(int map)
{
	__u64 before = 0, after = 0;
	__u32 zero = 0;

	bpf_map_lookup_elem(map, &zero, &before);
	for (int try = 0; try < PROVOKE_TRIES && after <= before; try++) {
		provoke();
		bpf_map_lookup_elem(map, &zero, &after);
	}
	return after > before;
}

static bool is_provoked(const char *section)
{
	static const char *const reached[] = {
		"lsm/bpf", "lsm/bpf_prog_load", "lsm/bpf_prog", "lsm/bpf_map", "lsm/task_alloc",
		"fmod_ret/security_bpf", "fexit/__sys_bpf", "fentry/bpf_check",
		"tp_btf/sys_enter", "tp_btf/sched_process_exit",
	};

	for (size_t i = 0; i < WD_COUNT(reached); i++)
		if (!strcmp(section, reached[i]))
			return true;
	return false;
}

void wd_try_hook(struct wd_attempt *attempt, const char *section)
{
	_cleanup_fd_ int map = make_counter(), program = -1, link = -1;
	const struct kind *kind = kind_of(section);
	int id = kind ? find_target(kind, section + strlen(kind->prefix)) : -EINVAL;

	attempt->name = section;
	if (map < 0)
		return fail(attempt, errno, "no map can be made");
	if (id < 0)
		return fail(attempt, id, "the kernel's BTF does not have it");
	program = load_counting(kind, id, map);
	if (program < 0)
		return fail(attempt, errno, why_not_loaded(errno));
	link = kind->attach == BPF_TRACE_ITER ? bpf_link_create(program, 0, kind->attach, NULL) :
						bpf_raw_tracepoint_open(NULL, program);
	if (link < 0)
		return fail(attempt, errno, errno == EPERM ? why_not_loaded(errno) :
							     "loads, but can't be attached");
	attempt->provoked = is_provoked(section);
	attempt->ran = attempt->provoked && counts(map);
	if (attempt->provoked && !attempt->ran)
		fail(attempt, ENOTSUP, kind->type == BPF_PROG_TYPE_LSM ? LSM_SILENT : SILENT);
}

static int make_task_storage(void)
{
	_cleanup_fd_ int btf_fd = -1;
	struct btf *btf = btf__new_empty();
	int number = btf ? btf__add_int(btf, "int", 4, BTF_INT_SIGNED) : -ENOMEM, fd;
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);

	if (number < 0 || btf__load_into_kernel(btf)) {
		btf__free(btf);
		return -1;
	}
	options.btf_fd = btf__fd(btf);
	options.btf_key_type_id = options.btf_value_type_id = number;
	fd = bpf_map_create(BPF_MAP_TYPE_TASK_STORAGE, "warden_probe", 4, 4, 0, &options);
	btf__free(btf);
	return fd;
}

void wd_try_map(struct wd_attempt *attempt, enum bpf_map_type type)
{
	_cleanup_fd_ int fd = -1;

	fd = type == BPF_MAP_TYPE_TASK_STORAGE ?
		     make_task_storage() :
		     bpf_map_create(type, "warden_probe", 0, 0, (__u32)sysconf(_SC_PAGESIZE), NULL);
	if (fd < 0)
		fail(attempt, errno, "this kind of map can't be made");
}

void wd_try_kprobes(struct wd_attempt *attempt)
{
	if (access(KPROBE_PMU, F_OK))
		fail(attempt, errno, "built without kprobes, or sysfs is not mounted");
}

#if defined(__x86_64__)
static void call_by_int80(void)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(20L)
			 : "memory", "r8", "r9", "r10", "r11");
	_exit(result == getpid() ? 0 : 1);
}

void wd_try_ia32(struct wd_attempt *attempt)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		call_by_int80();
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return fail(attempt, errno, "can't be tried");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail(attempt, ENOSYS, "32-bit calls are off: one way less into bpf(2)");
}
#else
void wd_try_ia32(struct wd_attempt *attempt)
{
	fail(attempt, ENOSYS, "not on this architecture");
}
#endif

static int read_line(const char *path, char *ret_text, int size)
{
	_cleanup_file_ FILE *file = fopen(path, "re");

	if (!file || !fgets(ret_text, size, file))
		return -ENOENT;
	ret_text[strcspn(ret_text, "\n")] = 0;
	return 0;
}

/* This process is short-lived, so it can afford a mount namespace to look from. */
void wd_read_lsm_list(char *ret_text, int size)
{
	ret_text[0] = 0;
	if (read_line(SECURITYFS "/lsm", ret_text, size) == 0)
		return;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) ||
	    mount("securityfs", SECURITYFS, "securityfs", 0, NULL))
		return;
	read_line(SECURITYFS "/lsm", ret_text, size);
}
