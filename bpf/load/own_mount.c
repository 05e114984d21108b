/* SPDX-License-Identifier: Apache-2.0 */
/* The mount is attached nowhere, and ends with its fd: what was opened in it stays. */
#include "own_mount.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

int wd_open_own(const char *type, const char *path, int flags)
{
	_cleanup_fd_ int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
	_cleanup_fd_ int mounted = -1;
	int fd;

	if (context < 0 || syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	mounted = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
	if (mounted < 0)
		return -errno;
	fd = openat(mounted, path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
