// SPDX-License-Identifier: Apache-2.0
/*
 * lab-keys CERTIFICATE [NAME]	makes a keyring with this certificate, seals it, prints its number
 *
 * What the first process of a machine would do before anybody else runs.
 */
#include <fcntl.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_CERTIFICATE 4096
/* Read, search and link for whoever has it, and read and search for everybody. */
#define PERMISSIONS 0x3f0b0b0b

int main(int argc, char **argv)
{
	char certificate[MAX_CERTIFICATE];
	const char *name = argc == 3 ? argv[2] : "lab";
	int fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	ssize_t size = fd < 0 ? -1 : read(fd, certificate, sizeof(certificate));
	long ring = syscall(SYS_add_key, "keyring", name, NULL, 0, KEY_SPEC_USER_KEYRING);

	if (size <= 0 || ring < 0 ||
	    syscall(SYS_add_key, "asymmetric", "lab", certificate, size, ring) < 0 ||
	    syscall(SYS_keyctl, KEYCTL_SETPERM, ring, PERMISSIONS) ||
	    syscall(SYS_keyctl, KEYCTL_RESTRICT_KEYRING, ring, NULL, NULL)) {
		perror("lab-keys");
		return 71;
	}
	printf("%ld\n", ring);
	return 0;
}
