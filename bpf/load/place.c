/* SPDX-License-Identifier: Apache-2.0 */
/* The run-time directory, its lock and our own bpffs. */
#include "place.h"

#include "cleanup.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

#define PAUSE_MS 20
#define NOTHING_LOADED "nothing is loaded there: start with ./warden up"
#define REQUEST_TRIES (20000 / PAUSE_MS)
/* Whoever asks who holds the lock has it for a moment. */
#define LOCK_TRIES 5

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

/*
 * Gives a directory that root just made to the service. By fd and without following links: who may
 * write to its parent must not be able to have another directory given away.
 */
static int hand_over(const char *path, uid_t uid, gid_t gid)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat info;

	if (fd < 0 || fstat(fd, &info))
		return -errno;
	if (info.st_uid != 0)
		return -EPERM;
	return fchown(fd, uid, gid) ? -errno : 0;
}

int wd_place_state(const char *path, uid_t uid, gid_t gid)
{
	struct stat info;
	int err;

	if (stat(path, &info) == 0) {
		if (!S_ISDIR(info.st_mode))
			return wd_fail(EX_CANTCREAT, "state directory", path, ENOTDIR, NULL);
		if (info.st_uid != uid)
			return wd_fail(EX_CANTCREAT, "state directory", path, 0,
				       "belongs to another user: choose another --state");
		return access(path, W_OK) ? wd_fail(EX_CANTCREAT, "state directory", path, errno,
						    "choose another --state") : EX_OK;
	}
	err = errno == ENOENT ? wd_make_path(path, 0750) : -errno;
	if (!err)
		err = hand_over(path, uid, gid);
	return err ? wd_fail(EX_CANTCREAT, "state directory", path, err,
			     "choose another --state") : EX_OK;
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

/* Returns 0 or -errno; -EWOULDBLOCK when it was taken at every try. */
static int try_lock(int fd, int tries)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };

	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK || --tries <= 0)
			return -errno;
		nanosleep(&pause, NULL);
	}
	return 0;
}

int wd_place_lock(const char *dir, int *ret_fd)
{
	_cleanup_fd_ int fd = -1;
	char path[PATH_MAX], text[32];
	int len, err;

	snprintf(path, sizeof(path), "%s/lock", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return wd_fail(EX_CANTCREAT, "lock", path, errno, NULL);
	err = try_lock(fd, LOCK_TRIES);
	if (err)
		return err == -EWOULDBLOCK ? fail_locked(path, fd) :
					     wd_fail(EX_OSERR, "lock", path, err, NULL);
	len = snprintf(text, sizeof(text), "%d\n", getpid());
	if (ftruncate(fd, 0) || pwrite(fd, text, len, 0) != len)
		return wd_fail(EX_IOERR, "lock", path, errno, NULL);
	*ret_fd = wd_take_fd(&fd);
	return EX_OK;
}

/* Unload removes the file: a lock on one that is gone keeps nobody out. */
static bool is_removed(int fd)
{
	struct stat info;

	return fstat(fd, &info) == 0 && info.st_nlink == 0;
}

/* Returns 0 or -errno; -EWOULDBLOCK when another request was under way at every try. */
static int lock_request(const char *path, int flags, int tries, int *ret_fd)
{
	_cleanup_fd_ int fd = -1;

	do {
		int err;

		wd_close_fd(&fd);
		fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
		if (fd < 0)
			return -errno;
		err = try_lock(fd, tries);
		if (err)
			return err;
	} while (is_removed(fd));
	*ret_fd = wd_take_fd(&fd);
	return 0;
}

int wd_place_request(const char *dir, int *ret_fd)
{
	char path[PATH_MAX];
	int err;

	snprintf(path, sizeof(path), "%s/request.lock", dir);
	err = lock_request(path, O_CREAT, REQUEST_TRIES, ret_fd);
	if (!err)
		return EX_OK;
	if (err == -EWOULDBLOCK)
		return wd_fail(EX_TEMPFAIL, "lock", path, err,
			       "another request takes its time: try again");
	return wd_fail(err == -ENOENT ? EX_UNAVAILABLE : EX_CANTCREAT, "lock", path, err,
		       NOTHING_LOADED);
}

int wd_place_try_request(const char *dir, int *ret_fd)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/request.lock", dir);
	return lock_request(path, 0, 1, ret_fd);
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

/* Asked once more behind the pidfd: the number may be somebody else's by then. */
int wd_place_signal(const char *dir, int number)
{
	pid_t owner = wd_place_owner(dir);
	_cleanup_fd_ int fd = -1;

	if (owner <= 1)
		return -ESRCH;
	fd = (int)syscall(SYS_pidfd_open, owner, 0);
	if (fd < 0)
		return -errno;
	if (wd_place_owner(dir) != owner)
		return -ESRCH;
	return syscall(SYS_pidfd_send_signal, fd, number, NULL, 0) ? -errno : 0;
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
