/* SPDX-License-Identifier: Apache-2.0 */
/* The run-time directory, its lock and our own bpffs. */
#include "place.h"

#include "cleanup.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

int wd_make_path(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, len + 1);
	for (char *at = part + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = 0;
		if (mkdir(part, 0755) && errno != EEXIST)
			return -errno;
		*at = '/';
	}
	if (mkdir(part, mode) && errno != EEXIST)
		return -errno;
	return 0;
}

int wd_place_make(const char *dir)
{
	struct stat info;
	int err = wd_make_path(dir, 0755);

	if (err)
		return wd_fail(EX_CANTCREAT, "run-time directory", dir, err,
			       "choose another --dir");
	if (stat(dir, &info))
		return wd_fail(EX_CANTCREAT, "run-time directory", dir, errno, NULL);
	if (!S_ISDIR(info.st_mode))
		return wd_fail(EX_CANTCREAT, "run-time directory", dir, ENOTDIR, NULL);
	/* Whoever could rename DIR/bpf could put their own maps in the place of ours. */
	if (info.st_uid != 0 || info.st_mode & 0022)
		return wd_fail(EX_CANTCREAT, "run-time directory", dir, 0,
			       "it must belong to root and be writable by nobody else");
	return EX_OK;
}

static int fail_locked(const char *path, int fd)
{
	char text[32] = "", advice[96];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? strcspn(text, "\n") : 0] = 0;
	snprintf(advice, sizeof(advice), "already running, pid %s: stop it first",
		 *text ? text : "unknown");
	return wd_fail(EX_UNAVAILABLE, "lock", path, 0, advice);
}

int wd_place_lock(const char *dir, int *ret_fd)
{
	_cleanup_fd_ int fd = -1;
	char path[PATH_MAX], text[32];
	int len;

	snprintf(path, sizeof(path), "%s/lock", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return wd_fail(EX_CANTCREAT, "lock", path, errno, NULL);
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? fail_locked(path, fd) :
					      wd_fail(EX_OSERR, "lock", path, errno, NULL);
	len = snprintf(text, sizeof(text), "%d\n", getpid());
	if (ftruncate(fd, 0) || pwrite(fd, text, len, 0) != len)
		return wd_fail(EX_IOERR, "lock", path, errno, NULL);
	*ret_fd = wd_take_fd(&fd);
	return EX_OK;
}

int wd_place_wait(const char *dir, const char *name, int *ret_fd)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000000L };
	_cleanup_fd_ int fd = -1;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return wd_fail(errno == ENOENT ? EX_UNAVAILABLE : EX_CANTCREAT, "lock", path,
			       errno, "nothing is loaded there: start with ./warden up");
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB); tries++) {
		if (errno != EWOULDBLOCK || tries == 1000)
			return wd_fail(EX_TEMPFAIL, "lock", path, errno, "try again");
		nanosleep(&pause, NULL);
	}
	*ret_fd = wd_take_fd(&fd);
	return EX_OK;
}

pid_t wd_place_owner(const char *dir)
{
	_cleanup_fd_ int fd = -1;
	char path[PATH_MAX], text[32] = "";

	snprintf(path, sizeof(path), "%s/lock", dir);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	/* Whoever gets the lock was not kept out by anybody. */
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	return (pid_t)strtol(text, NULL, 10);
}

static void bpffs_path(const char *dir, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/bpf", dir);
}

bool wd_bpffs_is_mounted(const char *dir)
{
	char path[PATH_MAX];
	struct statfs info;

	bpffs_path(dir, path);
	return statfs(path, &info) == 0 && (__u32)info.f_type == BPF_FS_MAGIC;
}

int wd_bpffs_mount(const char *dir, gid_t gid)
{
	char path[PATH_MAX];

	bpffs_path(dir, path);
	if (mkdir(path, 0750) && errno != EEXIST)
		return wd_fail(EX_CANTCREAT, "bpffs", path, errno, NULL);
	if (!wd_bpffs_is_mounted(dir) &&
	    mount("bpf", path, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return wd_fail(EX_OSERR, "mount bpffs", path, errno,
			       "needs CAP_SYS_ADMIN and a kernel with CONFIG_BPF_SYSCALL");
	if (chown(path, 0, gid) || chmod(path, 0750))
		return wd_fail(EX_OSERR, "bpffs", path, errno, NULL);
	return EX_OK;
}

static int remove_entry(int dir_fd, const struct dirent *entry)
{
	_cleanup_fd_ int fd = -1;
	int err;

	if (unlinkat(dir_fd, entry->d_name, 0) == 0)
		return 0;
	if (errno != EISDIR)
		return -errno;
	fd = openat(dir_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	err = wd_empty_directory(fd);
	if (err)
		return err;
	return unlinkat(dir_fd, entry->d_name, AT_REMOVEDIR) ? -errno : 0;
}

int wd_empty_directory(int fd)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (copy < 0)
		return -errno;
	dir = fdopendir(copy);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		/* No pin has a dot; what has one is the kernel's own (maps.debug) and stays. */
		if (strchr(entry->d_name, '.'))
			continue;
		err = remove_entry(fd, entry);
		if (err)
			return err;
	}
	return 0;
}

int wd_bpffs_unmount(const char *dir)
{
	char path[PATH_MAX];
	int err;

	bpffs_path(dir, path);
	while (wd_bpffs_is_mounted(dir)) {
		_cleanup_fd_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		/* Unlinked first: a mount can live on in somebody's namespace, a pin can't. */
		err = fd < 0 ? -errno : wd_empty_directory(fd);
		if (err)
			return wd_fail(EX_OSERR, "remove pins", path, err, NULL);
		if (umount2(path, MNT_DETACH))
			return wd_fail(EX_OSERR, "unmount", path, errno, NULL);
	}
	if (rmdir(path) && errno != ENOENT)
		return wd_fail(EX_OSERR, "remove", path, errno, NULL);
	return EX_OK;
}
