// SPDX-License-Identifier: Apache-2.0
/*
 * Family guard, by its hooks: it runs no more, or somebody else answers for it. What counts is the
 * load that it refused before.
 */
#include "lab.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "ring.h"

#define FTRACE "/proc/sys/kernel/ftrace_enabled"
#define SLOTS 40
#define SLOTS_ARE_MANY 30
#define SYSCTL_SET_NEW_VALUE 104

static struct outcome guard_after(const char *how)
{
	return guard_is_gone() ? gained(how) : futile(how);
}

/* Puts the switch back when those who watch have had time to see it. */
static struct outcome after_ftrace(int result, const char *how)
{
	struct outcome outcome;

	if (result < 0)
		return failed(how);
	outcome = guard_after(how);
	if (guard_pid())
		sleep(WATCHDOG_SECONDS);
	write_file(FTRACE, "1");
	return outcome;
}

static struct outcome ftrace_sysctl(void)
{
	return after_ftrace(write_file(FTRACE, "0"), "write to ftrace_enabled");
}

/* The same file in another instance of /proc. */
static struct outcome ftrace_file(void)
{
	static const char other[] = "/mnt-proc";
	struct outcome outcome;

	mkdir(other, 0755);
	if (mount("none", other, "proc", 0, NULL))
		return failed("mount");
	outcome = after_ftrace(write_file("/mnt-proc/sys/kernel/ftrace_enabled", "0"),
			       "write in another /proc");
	umount2(other, MNT_DETACH);
	return outcome;
}

static struct outcome ftrace_uring(void)
{
	_cleanup_fd_ int fd = open(FTRACE, O_WRONLY | O_CLOEXEC);
	int result = fd < 0 ? -errno :
			      uring_do(&(struct uring_order){ .opcode = URING_WRITE, .fd = fd,
							      .data = "0", .size = 1 });

	errno = result < 0 ? -result : 0;
	return after_ftrace(result, "io_uring write to ftrace_enabled");
}

/* Whoever writes 1 in this cgroup writes 0: a guard that asks for the new value hears 1. */
static struct outcome ftrace_override(void)
{
	const struct bpf_insn code[] = {
		STORE_IMM(BPF_W, 10, -8, '0'), MOV_REG(2, 10), ADD_IMM(2, -8), MOV_IMM(3, 1),
		CALL(SYSCTL_SET_NEW_VALUE),    MOV_IMM(0, 1),  EXIT(),
	};
	static const char path[] = "/sys/fs/cgroup/lab-sysctl";
	_cleanup_fd_ int cgroup = -1, program = -1;

	mkdir(path, 0755);
	cgroup = open(path, O_RDONLY | O_CLOEXEC);
	program = load(&(struct program){ .type = BPF_PROG_TYPE_CGROUP_SYSCTL,
					  .attach_type = BPF_CGROUP_SYSCTL, .code = code,
					  .count = COUNT(code) });
	if (program < 0)
		return failed("PROG_LOAD of type CGROUP_SYSCTL");
	if (bpf(BPF_PROG_ATTACH, ATTR(.target_fd = cgroup, .attach_bpf_fd = program,
				      .attach_type = BPF_CGROUP_SYSCTL,
				      .attach_flags = BPF_F_ALLOW_MULTI)))
		return failed("PROG_ATTACH");
	if (write_file("/sys/fs/cgroup/lab-sysctl/cgroup.procs", "0"))
		return failed("cgroup.procs");
	struct outcome outcome = after_ftrace(write_file(FTRACE, "1"), "write that is replaced");

	write_file("/sys/fs/cgroup/cgroup.procs", "0");
	write_file(FTRACE, "1");
	return outcome;
}

static int attach_returning(unsigned int type, unsigned int attach_type, const char *function,
			    int result)
{
	const struct bpf_insn code[] = { MOV_IMM(0, result), EXIT() };
	unsigned int target = btf_function(function);
	_cleanup_fd_ int fd = -1;

	errno = ENOENT;
	if (target)
		fd = load(&(struct program){ .type = type, .attach_type = attach_type,
					     .code = code, .count = COUNT(code),
					     .attach_btf_id = target });
	if (fd < 0)
		return -1;
	return bpf(BPF_RAW_TRACEPOINT_OPEN, ATTR(.raw_tracepoint.prog_fd = fd));
}

/* A positive answer is none that callers take for a refusal, and no other hook is asked. */
static struct outcome fmod_ret(void)
{
	_cleanup_fd_ int all = attach_returning(BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN,
						"security_bpf", 1);
	_cleanup_fd_ int programs = attach_returning(BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN,
						     "security_bpf_prog", 1);

	if (all < 0 || programs < 0)
		return failed("MODIFY_RETURN on security_bpf");
	return guard_after("MODIFY_RETURN on security_bpf");
}

static struct outcome lsm_positive(void)
{
	_cleanup_fd_ int all = attach_returning(BPF_PROG_TYPE_LSM, BPF_LSM_MAC, "bpf_lsm_bpf", 1);
	_cleanup_fd_ int programs = attach_returning(BPF_PROG_TYPE_LSM, BPF_LSM_MAC,
						     "bpf_lsm_bpf_prog", 1);

	if (all < 0 || programs < 0)
		return failed("LSM program on the guard's hook");
	return guard_after("LSM program on the guard's hook");
}

/* A hook has few places: when all are taken, the next version of the guard can't be attached. */
static struct outcome slots(void)
{
	int links[SLOTS], n = 0, error;

	while (n < SLOTS && (links[n] = attach_returning(BPF_PROG_TYPE_LSM, BPF_LSM_MAC,
							 "bpf_lsm_bpf", 0)) >= 0)
		n++;
	error = errno;
	for (int i = 0; i < n; i++)
		close(links[i]);
	errno = n >= SLOTS_ARE_MANY ? 0 : error;
	return n >= SLOTS_ARE_MANY ? gained("LSM programs on the guard's hook") :
				     failed("LSM programs on the guard's hook");
}

/* The type of a loaded program's main function in its own BTF. */
static unsigned int main_type(int program)
{
	struct bpf_func_info function = {};
	struct bpf_prog_info info = { .nr_func_info = 1, .func_info_rec_size = sizeof(function),
				      .func_info = address(&function) };

	if (bpf(BPF_OBJ_GET_INFO_BY_FD, ATTR(.info.bpf_fd = program, .info.info_len = sizeof(info),
					     .info.info = address(&info))))
		return 0;
	return function.type_id;
}

static struct outcome hook_guard(unsigned int type, unsigned int attach_type, const char *how)
{
	const struct bpf_insn code[] = { MOV_IMM(0, 0), EXIT() };
	_cleanup_fd_ int target = open_id(BPF_PROG_GET_FD_BY_ID, find_program("guard_bpf"));
	_cleanup_fd_ int fd = -1, link = -1;

	if (target < 0)
		return failed("PROG_GET_FD_BY_ID");
	fd = load(&(struct program){ .type = type, .attach_type = attach_type, .code = code,
				     .count = COUNT(code), .attach_fd = target,
				     .attach_btf_id = main_type(target) });
	if (fd < 0)
		return failed(how);
	link = bpf(BPF_RAW_TRACEPOINT_OPEN, ATTR(.raw_tracepoint.prog_fd = fd));
	return link < 0 ? failed(how) : gained(how);
}

static struct outcome trace_guard(void)
{
	return hook_guard(BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, "FENTRY of the guard");
}

static struct outcome extend_guard(void)
{
	return hook_guard(BPF_PROG_TYPE_EXT, 0, "EXT of the guard");
}

const struct attack guard_attacks[] = {
	{ "ftrace-sysctl", ftrace_sysctl },
	{ "ftrace-file", ftrace_file },
	{ "ftrace-uring", ftrace_uring },
	{ "ftrace-override", ftrace_override },
	{ "fmod-ret", fmod_ret },
	{ "fmod-ret-trusted", fmod_ret },
	{ "lsm-positive", lsm_positive },
	{ "slots", slots },
	{ "trace-guard", trace_guard },
	{ "extend-guard", extend_guard },
	{},
};
