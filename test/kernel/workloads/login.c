/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays a login: sets the login uid, makes an act, and goes on as another program.
 *
 *	login AUID [PROGRAM [ARGUMENT]...]	AUID - leaves the login uid alone
 */
#include "workload.h"

#include <fcntl.h>

static int write_loginuid(const char *auid)
{
	int fd = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);
	ssize_t len = (ssize_t)strlen(auid), n = fd < 0 ? -1 : write(fd, auid, len);

	if (fd >= 0)
		close(fd);
	return n == len ? 0 : -1;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: login AUID [PROGRAM [ARGUMENT]...]\n");
		return 64;
	}
	if (strcmp(argv[1], "-") && write_loginuid(argv[1])) {
		perror("/proc/self/loginuid");
		return 71;
	}
	ACT(BPF_MAP_GET_NEXT_ID, ATTR(.start_id = 0), .note = "login", .expect = ANY_RESULT);
	if (argc == 2)
		return 0;
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 69;
}
