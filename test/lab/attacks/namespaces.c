// SPDX-License-Identifier: Apache-2.0
/* Family namespaces: the same from inside a container, and what root hands to one. */
#include "lab.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define TOKEN_CREATE 36
#define TOKEN_FLAG (1U << 16)  /* BPF_F_TOKEN_FD */
#define TOKEN_OFFSET 144       /* of the token's fd in what PROG_LOAD takes from 6.9 on */

static int forbidden(void *unused)
{
	(void)unused;
	return !forbidden_runs();
}

static struct outcome container(void)
{
	int status;

	if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC |
		    CLONE_NEWCGROUP))
		return failed("unshare");
	status = in_child(forbidden, NULL);
	return status ? futile("PROG_LOAD in namespaces") : gained("PROG_LOAD in namespaces");
}

/* In a mount namespace of its own the guard's bpffs is another mount of the same file system. */
static struct outcome umount_in_namespace(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return failed("unshare");
	if (umount2(strncmp(guard_pins(), "/run", 4) ? "/sys/fs/bpf" : guard_pins(), MNT_DETACH))
		return failed("umount");
	return guard_is_gone() ? gained("umount") : futile("umount");
}

/* Shared with the child, as its fds are: whose turn it is, and what it came to. */
struct deal {
	volatile int turn;
	int fs;
	int program;
	int error;
};

static void wait_turn(struct deal *deal, int turn)
{
	while (deal->turn != turn)
		usleep(1000);
}

static int load_with_token(int token)
{
	const struct bpf_insn code[] = { MOV_IMM(0, 0), EXIT() };
	char attributes[LOAD_ATTR_SIZE];

	put_load(&(struct program){ .type = BPF_PROG_TYPE_RAW_TRACEPOINT, .code = code,
				    .count = COUNT(code), .flags = TOKEN_FLAG },
		 attributes);
	memcpy(attributes + TOKEN_OFFSET, &token, sizeof(token));
	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, attributes, TOKEN_OFFSET + 8);
}

/* Alice, root in a user namespace: with a bpffs that root has delegated she makes a token. */
static void in_namespace(struct deal *deal)
{
	int mount_fd, root, token = -1;

	if (!setresuid(10001, 10001, 10001) && !unshare(CLONE_NEWUSER | CLONE_NEWNS))
		deal->fs = (int)syscall(SYS_fsopen, "bpf", 0);
	deal->error = errno;
	deal->turn = 1;
	wait_turn(deal, 2);
	mount_fd = (int)syscall(SYS_fsmount, deal->fs, 0, 0);
	root = openat(mount_fd, ".", O_DIRECTORY | O_CLOEXEC);
	if (root >= 0) {
		uint32_t request[2] = { 0, root };
		char attributes[sizeof(union bpf_attr)] = "";

		memcpy(attributes, request, sizeof(request));
		token = (int)syscall(SYS_bpf, TOKEN_CREATE, attributes, sizeof(attributes));
	}
	if (token >= 0)
		deal->program = load_with_token(token);
	deal->error = errno;
}

static int delegate(int fs)
{
	static const char *const what[] = { "delegate_cmds", "delegate_maps", "delegate_progs",
					    "delegate_attachs" };

	for (size_t i = 0; i < COUNT(what); i++)
		if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, what[i], "any", 0))
			return -1;
	return (int)syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

static struct outcome token(void)
{
	struct deal *deal = mmap(NULL, sizeof(*deal), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	deal->fs = deal->program = -1;
	child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (!child) {
		in_namespace(deal);
		_exit(0);
	}
	wait_turn(deal, 1);
	errno = deal->error;
	if (deal->fs < 0 || delegate(deal->fs)) {
		kill(child, SIGKILL);
		return failed("a delegated bpffs");
	}
	deal->turn = 2;
	waitpid(child, NULL, 0);
	errno = deal->error;
	return deal->program < 0 ? failed("TOKEN_CREATE") : gained("PROG_LOAD with a token");
}

const struct attack namespace_attacks[] = {
	{ "container-load", container },
	{ "container-umount", umount_in_namespace },
	{ "token", token },
	{},
};
