/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries to take the mount with the guard's pins away, or to hide it. What succeeds is undone.
 *
 *	mounts DIR	DIR: warden-load's run-time directory
 */
#include "tries.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* The mount that DIR is in: the highest directory above it on the same device. */
static const char *mount_of(const char *dir)
{
	static char path[PATH_ROOM];
	struct stat at, above;

	snprintf(path, sizeof(path), "%s", dir);
	while (strcmp(path, "/") && !stat(path, &at)) {
		char up[PATH_ROOM];
		char *end;

		snprintf(up, sizeof(up), "%s", path);
		end = strrchr(up, '/');
		end[end == up] = 0;
		if (stat(up, &above) || above.st_dev != at.st_dev)
			break;
		memcpy(path, up, sizeof(path));
	}
	return path;
}

/* `tried` in a mount namespace of its own, as `unshare` leaves it; the errno is its. */
static void in_namespace(const char *what, const char *dir, long (*tried)(const char *dir))
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(unshare(CLONE_NEWNS) || tried(dir) ? errno : 0);
	waitpid(child, &status, 0);
	errno = WEXITSTATUS(status);
	say(what, errno ? -1 : 0);
}

static long umount_pins(const char *dir)
{
	return umount2(in(dir, "bpf"), MNT_DETACH);
}

/* Where nothing is mounted on it, the directory is removed that our mount is on elsewhere. */
static long remove_point(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || umount_pins(dir))
		return -1;
	return unlinkat(fd, "bpf", AT_REMOVEDIR);
}

static long cover(const char *path)
{
	long result = mount("cover", path, "tmpfs", 0, NULL);

	if (!result)
		umount2(path, MNT_DETACH);
	return result;
}

static long cover_pins(const char *dir)
{
	return cover(in(dir, "bpf"));
}

/* As containers and units do: nobody else sees it. */
static long cover_alone(const char *dir)
{
	return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) || cover(dir) ? -1 : 0;
}

/* By the calls that make a mount first and say where afterwards. */
static long cover_later(const char *path)
{
	int fs = (int)syscall(SYS_fsopen, "tmpfs", 0), made;
	long result;

	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -1;
	made = (int)syscall(SYS_fsmount, fs, 0, 0);
	result = syscall(SYS_move_mount, made, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
	if (!result)
		umount2(path, MNT_DETACH);
	return result;
}

/* Away and back, and another directory in its place. */
static long rename_directory(const char *dir)
{
	char to[PATH_ROOM];

	snprintf(to, sizeof(to), "%s.moved", dir);
	return rename(dir, to) || rename(to, dir) ? -1 : 0;
}

int main(int count, char **words)
{
	const char *dir = words[1];

	if (count != 2) {
		fprintf(stderr, "usage: mounts DIR\n");
		return 64;
	}
	say("umount", umount_pins(dir));
	say("umount ancestor", umount2(mount_of(dir), MNT_DETACH));
	in_namespace("umount peer", dir, umount_pins);
	in_namespace("rmdir of the mount point", dir, remove_point);
	say("mount over the pins", cover_pins(dir));
	say("mount over their directory", cover(dir));
	say("mount over an ancestor", cover(mount_of(dir)));
	say("bind over their directory", mount("/tmp", dir, NULL, MS_BIND, NULL));
	say("move_mount over the pins", cover_later(in(dir, "bpf")));
	say("move_mount over their directory", cover_later(dir));
	in_namespace("mount over the pins by a peer", dir, cover_pins);
	say("rename of their directory", rename_directory(dir));
	in_namespace("mount in a namespace that hands nothing on", dir, cover_alone);
	say("private", mount(NULL, mount_of(dir), NULL, MS_PRIVATE, NULL));
	say("shared", mount(NULL, mount_of(dir), NULL, MS_SHARED, NULL));
	say("remount", mount(NULL, mount_of(dir), NULL, MS_REMOUNT | MS_BIND, NULL));
	return 0;
}
