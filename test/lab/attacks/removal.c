// SPDX-License-Identifier: Apache-2.0
/* Family guard, by its objects: pins, maps, links, mounts, and its own door. */
#include "lab.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define WARDEN_LOAD "/opt/bpf-warden/bpf/build/warden-load"
#define MAX_FD 64
#define MAX_VALUE 65536

/* The kernel lets go of programs some time after their last reference. */
static struct outcome guard_soon(const char *how)
{
	for (int i = 0; i < 20; i++) {
		if (guard_is_gone())
			return gained(how);
		usleep(100000);
	}
	return futile(how);
}

static int removed;

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *at)
{
	(void)stat, (void)at;
	if (type == FTW_F)
		removed += !unlink(path);
	return 0;
}

static struct outcome unlink_pins(void)
{
	errno = 0;
	nftw(guard_pins(), remove_one, 8, FTW_PHYS);
	return removed ? guard_soon("unlink of its pins") : failed("unlink of its pins");
}

static struct outcome umount_guard(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s", guard_pins());
	if (umount2(path, MNT_DETACH)) {
		*strrchr(path, '/') = '\0';
		if (umount2(path, MNT_DETACH))
			return failed("umount of its bpffs");
	}
	return guard_soon("umount of its bpffs");
}

/* With the mount above its own goes: /run of the product, /sys of a guard in the common bpffs. */
static struct outcome umount_ancestor(void)
{
	const char *above = strncmp(guard_pins(), "/run", 4) ? "/sys" : "/run";

	struct outcome outcome;

	if (umount2(above, MNT_DETACH))
		return failed("umount above its bpffs");
	outcome = guard_soon("umount above its bpffs");
	/* Without it this machine can't even be switched off. */
	if (!strcmp(above, "/sys"))
		mount("none", above, "sysfs", 0, NULL);
	return outcome;
}

/* Services that start now find what is there. The watchdog has time to see it. */
static struct outcome cover_guard(void)
{
	if (mount("cover", guard_pins(), "tmpfs", 0, NULL))
		return failed("mount over its pins");
	sleep(WATCHDOG_SECONDS);
	umount2(guard_pins(), MNT_DETACH);
	return gained("mount over its pins");
}

static struct outcome by_id(int fd, const char *how)
{
	return fd < 0 ? failed(how) : gained(how);
}

static struct outcome map_by_id(void)
{
	_cleanup_fd_ int fd = open_id(BPF_MAP_GET_FD_BY_ID, find_map("grants"));

	return by_id(fd, "MAP_GET_FD_BY_ID");
}

static struct outcome program_by_id(void)
{
	_cleanup_fd_ int fd = open_id(BPF_PROG_GET_FD_BY_ID, find_program("guard_bpf"));

	return by_id(fd, "PROG_GET_FD_BY_ID");
}

/* Nobody else in the guest has a link of this type. */
static struct outcome link_by_id(void)
{
	union bpf_attr attr = {};

	while (!bpf(BPF_LINK_GET_NEXT_ID, &attr)) {
		_cleanup_fd_ int fd = open_id(BPF_LINK_GET_FD_BY_ID, attr.next_id);
		struct bpf_link_info info = {};

		if (fd >= 0 &&
		    !bpf(BPF_OBJ_GET_INFO_BY_FD, ATTR(.info.bpf_fd = fd,
						      .info.info_len = sizeof(info),
						      .info.info = address(&info))) &&
		    info.type == BPF_LINK_TYPE_TRACING)
			return gained("LINK_GET_FD_BY_ID");
		attr.start_id = attr.next_id;
	}
	errno = ENOENT;
	return failed("LINK_GET_FD_BY_ID");
}

static int wiped;

/* Zeros in the first entry of each array that can be opened by its pin. */
static int wipe_one(const char *path, const struct stat *stat, int type, struct FTW *at)
{
	static char zeros[MAX_VALUE];
	struct bpf_map_info info = {};
	_cleanup_fd_ int fd = type == FTW_F ? open_pin(path) : -1;

	(void)stat, (void)at;
	if (fd < 0 || bpf(BPF_OBJ_GET_INFO_BY_FD, ATTR(.info.bpf_fd = fd,
						       .info.info_len = sizeof(info),
						       .info.info = address(&info))))
		return 0;
	if (info.type == BPF_MAP_TYPE_ARRAY && info.value_size <= MAX_VALUE)
		wiped += !map_put(fd, 0, zeros);
	return 0;
}

static struct outcome wipe_maps(void)
{
	errno = 0;
	nftw(guard_pins(), wipe_one, 8, FTW_PHYS);
	return wiped ? guard_soon("MAP_UPDATE_ELEM of its maps") : failed("OBJ_GET of its maps");
}

static struct outcome monitor_ptrace(void)
{
	if (ptrace(PTRACE_ATTACH, guard_pid(), 0, 0))
		return failed("PTRACE_ATTACH");
	waitpid(guard_pid(), NULL, 0);
	ptrace(PTRACE_DETACH, guard_pid(), 0, 0);
	return gained("PTRACE_ATTACH");
}

static struct outcome monitor_memory(void)
{
	_cleanup_fd_ int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", guard_pid());
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? failed("open of /proc/PID/mem") : gained("open of /proc/PID/mem");
}

static bool is_bpf(int fd)
{
	char path[64], target[128] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, "bpf");
}

static struct outcome monitor_fds(void)
{
	_cleanup_fd_ int monitor = (int)syscall(SYS_pidfd_open, guard_pid(), 0);

	for (int i = 3; i < MAX_FD; i++) {
		_cleanup_fd_ int fd = (int)syscall(SYS_pidfd_getfd, monitor, i, 0);

		if (fd >= 0 && is_bpf(fd))
			return gained("pidfd_getfd");
		if (fd < 0 && errno != EBADF)
			return failed("pidfd_getfd");
	}
	return futile("pidfd_getfd");
}

/*
 * The guard lets its own loader do everything, from exec on: whoever is inside it may as well. The
 * library ends with 0 when it has loaded what is forbidden, warden-load itself never does so here.
 */
static struct outcome loader_preload(void)
{
	char *const argv[] = { WARDEN_LOAD, "no-such-verb", NULL };
	int status;

	setenv("LAB_EVIL", "guard", 1);
	setenv("LD_PRELOAD", "/usr/local/lib/evil.so", 1);
	status = spawn(argv);
	return status ? futile("LD_PRELOAD of warden-load") : gained("LD_PRELOAD of warden-load");
}

/* The door that root has been given: the guard goes, and says so. */
static struct outcome unload(void)
{
	char directory[256], *const argv[] = { WARDEN_LOAD, "unload", "--dir", directory, NULL };

	snprintf(directory, sizeof(directory), "%s", guard_pins());
	*strrchr(directory, '/') = '\0';
	if (spawn(argv))
		return failed("warden-load unload");
	return guard_soon("warden-load unload");
}

const struct attack removal_attacks[] = {
	{ "unlink-pins", unlink_pins },
	{ "umount-guard", umount_guard },
	{ "umount-ancestor", umount_ancestor },
	{ "cover-guard", cover_guard },
	{ "guard-map-by-id", map_by_id },
	{ "guard-program-by-id", program_by_id },
	{ "guard-link-by-id", link_by_id },
	{ "wipe-maps", wipe_maps },
	{ "wipe-maps-trusted", wipe_maps },
	{ "monitor-ptrace", monitor_ptrace },
	{ "monitor-memory", monitor_memory },
	{ "monitor-fds", monitor_fds },
	{ "loader-preload", loader_preload },
	{ "unload", unload },
	{},
};
