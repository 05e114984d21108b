/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a program as somebody's who traces it from its first instruction on, who filters its system
 * calls, or who shows it another time. Hands on its exit code.
 *
 *	deceived trace COMMAND [ARGUMENT]...
 *	deceived filter COMMAND [ARGUMENT]...	a filter that allows everything
 *	deceived later COMMAND [ARGUMENT]...	in a time namespace that is ahead
 *	deceived hold FILE COMMAND [ARGUMENT]...	as long as FILE is locked
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static int filter(char **command)
{
	struct sock_filter allow = { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW };
	struct sock_fprog program = { 1, &allow };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 2;
	execvp(command[0], command);
	return 127;
}

static int later(char **command)
{
	int fd, status = 0;
	pid_t child;

	if (unshare(CLONE_NEWTIME))
		return 2;
	fd = open("/proc/self/timens_offsets", O_WRONLY);
	if (fd < 0 || write(fd, "boottime 1000000 0", 18) != 18)
		return 2;
	child = fork();
	if (child == 0) {
		execvp(command[0], command);
		_exit(127);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int hold(char **words)
{
	int fd = open(words[0], O_RDWR | O_CREAT, 0600);

	if (fd < 0 || flock(fd, LOCK_EX))
		return 2;
	execvp(words[1], words + 1);
	return 127;
}

static int trace(char **command)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execvp(command[0], command);
		_exit(127);
	}
	while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		int number = WSTOPSIG(status);

		ptrace(PTRACE_CONT, child, NULL, number == SIGTRAP ? 0L : (long)number);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int count, char **words)
{
	if (count > 2 && !strcmp(words[1], "trace"))
		return trace(words + 2);
	if (count > 2 && !strcmp(words[1], "filter"))
		return filter(words + 2);
	if (count > 3 && !strcmp(words[1], "hold"))
		return hold(words + 2);
	if (count > 2 && !strcmp(words[1], "later"))
		return later(words + 2);
	fprintf(stderr, "usage: deceived trace|filter|later|hold COMMAND [ARGUMENT]...\n");
	return 64;
}
