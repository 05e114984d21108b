// SPDX-License-Identifier: Apache-2.0
/* What is around an attack: files, other processes, the guard, the cgroups of the agent. */
#include "lab.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

const char *guard_pins(void)
{
	const char *path = getenv("LAB_GUARD_PINS");

	return path ? path : "";
}

int guard_pid(void)
{
	const char *pid = getenv("LAB_GUARD_PID");

	return pid ? atoi(pid) : 0;
}

static int wait_for(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

int spawn(char *const argv[])
{
	pid_t pid = fork();

	if (!pid) {
		execv(argv[0], argv);
		_exit(127);
	}
	return wait_for(pid);
}

int in_child(int (*run)(void *), void *argument)
{
	pid_t pid = fork();

	if (!pid)
		_exit(run(argument));
	return wait_for(pid);
}

int write_file(const char *path, const char *text)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len = (ssize_t)strlen(text);

	return fd >= 0 && write(fd, text, len) == len ? 0 : -1;
}

int read_file(const char *path, char *text, size_t size)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? -1 : 0;
}

int copy_file(const char *from, const char *to)
{
	_cleanup_fd_ int in = open(from, O_RDONLY | O_CLOEXEC);
	_cleanup_fd_ int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	char part[65536];
	ssize_t n = -1;

	while (in >= 0 && out >= 0 && (n = read(in, part, sizeof(part))) > 0)
		if (write(out, part, n) != n)
			return -1;
	return n ? -1 : 0;
}

bool guard_is_gone(void)
{
	char *const argv[] = { "/usr/local/bin/attack", "forbidden", NULL };

	return !spawn(argv);
}

#define TOKEN_CREATE 36	       /* of 6.9 and later; a number that a policy knows on all */

void get_lowered(void)
{
	bpf(TOKEN_CREATE, ATTR(.map_type = 0));
}

int become(uid_t uid)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	if (prctl(PR_SET_KEEPCAPS, 1) || setresuid(uid, uid, uid) ||
	    syscall(SYS_capget, &header, caps))
		return -1;
	for (int i = 0; i < 2; i++)
		caps[i].effective = caps[i].inheritable = caps[i].permitted;
	if (syscall(SYS_capset, &header, caps))
		return -1;
	/* Over exec as well, as a service manager would. */
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_BPF, 0, 0) ||
	       prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_PERFMON, 0, 0);
}

static int connect_in(void *argument)
{
	char procs[256];

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", (const char *)argument);
	if (write_file(procs, "0"))
		return 2;
	return socket(AF_INET, SOCK_DGRAM, 0) < 0;
}

bool may_connect(const char *cgroup)
{
	return in_child(connect_in, (void *)cgroup) == 0;
}
