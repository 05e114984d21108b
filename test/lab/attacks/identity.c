// SPDX-License-Identifier: Apache-2.0
/*
 * Family identity, by files and by the users: who passes for the agent, or for somebody trusted.
 * `attack act` does what only the agent may do; it is run as what it wants to be taken for.
 */
#include "agent.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SELF "/usr/local/bin/attack"
#define ASIDE "/usr/local/bin/agent.aside"
#define TRUSTED "10022"
/* The monitor looks within one. */
#define NOTICED_SECONDS 3

static struct outcome act_as(const char *path, const char *how)
{
	char *const argv[] = { (char *)path, "act", NULL };
	int status = spawn(argv);

	if (status > 1 || status < 0)
		return failed(how);
	return status ? futile(how) : gained(how);
}

/* The agent's own program, from where the policy does not know it. */
static struct outcome copied(void)
{
	static const char copy[] = "/usr/local/bin/agent-copy";
	struct outcome outcome;

	if (copy_file(AGENT, copy))
		return failed("copy");
	outcome = act_as(copy, "exec of a copy");
	unlink(copy);
	return outcome;
}

/* The attacker's program at the agent's path. */
static struct outcome renamed(void)
{
	struct outcome outcome;

	if (rename(AGENT, ASIDE) || copy_file(SELF, AGENT))
		return failed("rename");
	outcome = act_as(AGENT, "exec of another file at the path");
	rename(ASIDE, AGENT);
	return outcome;
}

/* As a package manager does it, and then patience: an upgrade looks the same. */
static struct outcome kept(void)
{
	static const char path[] = "/usr/local/bin/kept", beside[] = "/usr/local/bin/kept.new";

	if (copy_file(SELF, beside) || rename(beside, path))
		return failed("replace the file");
	sleep(NOTICED_SECONDS);
	return act_as(path, "exec of another file at the path");
}

/* The same file, with other content: inode, owner and path are as they were. */
static struct outcome overwritten(void)
{
	struct outcome outcome;

	if (copy_file(AGENT, ASIDE) || copy_file(SELF, AGENT))
		return failed("write into the file");
	outcome = act_as(AGENT, "exec of the file, written over");
	copy_file(ASIDE, AGENT);
	unlink(ASIDE);
	return outcome;
}

static struct outcome bind_mounted(void)
{
	struct outcome outcome;

	if (mount(SELF, AGENT, NULL, MS_BIND, NULL))
		return failed("mount");
	outcome = act_as(AGENT, "exec of a file mounted over the path");
	umount2(AGENT, MNT_DETACH);
	return outcome;
}

/* In a mount namespace of its own: nobody else sees another file at the path. */
static struct outcome other_mounts(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return failed("unshare");
	if (mount(SELF, AGENT, NULL, MS_BIND, NULL))
		return failed("mount");
	return act_as(AGENT, "exec in another mount namespace");
}

/* What is executed is the dynamic linker; the agent is data to it. */
static struct outcome by_linker(void)
{
	char *const argv[] = { "/lib64/ld-linux-x86-64.so.2", AGENT, "act", NULL };
	int status = spawn(argv);

	return status ? futile("exec of ld.so") : gained("exec of ld.so");
}

/* What only somebody trusted may load. */
static struct outcome load_lsm(void)
{
	const struct bpf_insn code[] = { MOV_IMM(0, 0), EXIT() };
	unsigned int target = btf_function("bpf_lsm_inode_rename");
	_cleanup_fd_ int fd = load(&(struct program){ .type = BPF_PROG_TYPE_LSM,
						      .attach_type = BPF_LSM_MAC, .code = code,
						      .count = COUNT(code),
						      .attach_btf_id = target });
	_cleanup_fd_ int link = -1;

	if (fd < 0)
		return failed("PROG_LOAD of type LSM");
	link = bpf(BPF_RAW_TRACEPOINT_OPEN, ATTR(.raw_tracepoint.prog_fd = fd));
	return link < 0 ? failed("RAW_TRACEPOINT_OPEN") : gained("PROG_LOAD of type LSM");
}

/* Goes on as a tool that may do whatever its user may. */
static struct outcome load_lsm_by_tool(const char *how)
{
	char *const argv[] = { "/usr/local/bin/powertool", "load-lsm", NULL };
	int status = spawn(argv);

	return status ? futile(how) : gained(how);
}

/* Who has no login uid may give one to themselves; who may audit, another one. */
static struct outcome loginuid(void)
{
	if (write_file("/proc/self/loginuid", TRUSTED))
		return failed("write to loginuid");
	return load_lsm_by_tool("write to loginuid");
}

static struct outcome load_filter(const char *how)
{
	const struct bpf_insn code[] = { MOV_IMM(0, 0), EXIT() };
	_cleanup_fd_ int fd = load_code(BPF_PROG_TYPE_SOCKET_FILTER, code, COUNT(code));

	return fd < 0 ? failed(how) : gained(how);
}

/* Lowered as one user, it goes on as another of whom nothing is known. */
static struct outcome fresh_uid(void)
{
	if (become(20001))
		return failed("setuid");
	get_lowered();
	if (become(20002))
		return failed("setuid to a fresh uid");
	return load_filter("setuid to a fresh uid");
}

/* Lowered by its login uid, it writes another one. */
static struct outcome fresh_loginuid(void)
{
	get_lowered();
	if (write_file("/proc/self/loginuid", "20003"))
		return failed("write to loginuid");
	return load_filter("a fresh login uid");
}

#define FALL_SECONDS 5

/* Evidence against its user that the policy gives much weight: their trust is gone for good. */
static void fall(void)
{
	const struct bpf_insn code[] = { MOV_IMM(1, 0), CALL(BPF_FUNC_send_signal), MOV_IMM(0, 0),
					 EXIT() };
	_cleanup_fd_ int fd = load_code(BPF_PROG_TYPE_RAW_TRACEPOINT, code, COUNT(code));

	sleep(FALL_SECONDS);
}

/* After its fall root has a service manager start somebody of whom nothing is known. */
static struct outcome by_starter(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = STARTER_SOCKET };
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char status = 1;

	fall();
	if (connect(fd, (void *)&at, sizeof(at)) || read(fd, &status, 1) != 1)
		return failed("a service manager");
	return status ? futile("a service as another user") : gained("a service as another user");
}

/* A script whose first line names an interpreter that the policy lists. */
static struct outcome interpreter(void)
{
	static const char script[] = "/usr/local/bin/script";
	_cleanup_fd_ int fd = open(script, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	char *const argv[] = { (char *)script, NULL };
	int status;

	dprintf(fd, "#!/usr/local/bin/interpreter write\n");
	lab_close(&fd);
	fd = -1;
	status = spawn(argv);
	unlink(script);
	return status ? futile("exec of a script") : gained("exec of a script");
}

const struct attack identity_attacks[] = {
	{ "loader-copied", copied },
	{ "loader-renamed", renamed },
	{ "loader-overwritten", overwritten },
	{ "loader-kept", kept },
	{ "loader-bind-mounted", bind_mounted },
	{ "loader-in-mount-ns", other_mounts },
	{ "loader-by-ld-so", by_linker },
	{ "load-lsm", load_lsm },
	{ "loginuid-daemon", loginuid },
	{ "loginuid-root", loginuid },
	{ "fresh-uid", fresh_uid },
	{ "fresh-loginuid", fresh_loginuid },
	{ "interpreter", interpreter },
	{ "service-after-fall", by_starter },
	{},
};
