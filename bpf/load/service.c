/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service may do nothing but open the pins that its group may open, and write to its state
 * directory. It sees its program files read-only in DIR/app, wherever they lie.
 */
#include "service.h"

#include "cleanup.h"
#include "environment.h"
#include "place.h"
#include "release.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define FIRST_FREE_FD 3

struct capabilities {
	struct __user_cap_header_struct head;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

static int wait_for_go(const struct wd_service *service)
{
	char byte;

	if (read(service->go, &byte, 1) != 1)
		return wd_fail(EX_SOFTWARE, "service", "monitor", 0, "gone before the start");
	return EX_OK;
}

static int reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	for (int number = 1; number < SIGRTMIN; number++)
		signal(number, SIG_DFL);
	return sigprocmask(SIG_SETMASK, &none, NULL) ? -errno : 0;
}

/* What was checked is in memory, and read-only there. */
static int mount_release(const struct wd_service *service, const char *path)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV;
	int code;

	if (mount("release", path, "tmpfs", flags, "mode=0755,size=1g"))
		return wd_fail(EX_OSERR, "mount", path, errno, NULL);
	code = wd_release_copy(service->app, service->bundle, path);
	if (code)
		return code;
	if (mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY | flags, "mode=0755,size=1g"))
		return wd_fail(EX_OSERR, "mount read-only", path, errno, NULL);
	return EX_OK;
}

/* Our own mount namespace, in which DIR/app is `app`. Unmounts outside still reach us. */
static int mount_app(const struct wd_service *service, char ret_path[PATH_MAX])
{
	struct mount_attr attributes = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
	};
	_cleanup_fd_ int tree = -1;

	snprintf(ret_path, PATH_MAX, "%s/app", service->dir);
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL))
		return wd_fail(EX_OSERR, "mount namespace", "/", errno, NULL);
	if (service->bundle)
		return mount_release(service, ret_path);
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, service->app,
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (tree < 0)
		return wd_fail(EX_CANTCREAT, "application directory", service->app, errno,
			       "give the directory that holds COMMAND's files as --app");
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
		    sizeof(attributes)) ||
	    syscall(SYS_move_mount, tree, "", AT_FDCWD, ret_path, MOVE_MOUNT_F_EMPTY_PATH))
		return wd_fail(EX_OSERR, "mount", ret_path, errno, NULL);
	return EX_OK;
}

static int drop_bounding_set(void)
{
	for (unsigned long capability = 0; capability < 64; capability++)
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) && errno != EINVAL)
			return -errno;
	return 0;
}

static int set_no_capabilities(void)
{
	struct capabilities none = { .head.version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capset, &none.head, none.data) ? -errno : 0;
}

static int drop_privileges(const struct wd_service *service)
{
	int err = drop_bounding_set();

	if (err)
		return err;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) || setgroups(0, NULL) ||
	    setresgid(service->gid, service->gid, service->gid) ||
	    setresuid(service->uid, service->uid, service->uid))
		return -errno;
	err = set_no_capabilities();
	if (err)
		return err;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

/* Trusts no return value: looks at what the kernel says is left. */
static const char *find_privilege(const struct wd_service *service)
{
	struct capabilities left = { .head.version = _LINUX_CAPABILITY_VERSION_3 };
	uid_t uids[3];
	gid_t gids[3];

	if (getresuid(&uids[0], &uids[1], &uids[2]) || getresgid(&gids[0], &gids[1], &gids[2]))
		return "ids can't be read";
	for (int i = 0; i < 3; i++)
		if (uids[i] != service->uid || gids[i] != service->gid || uids[i] == 0)
			return "an id is still privileged";
	if (getgroups(0, NULL) != 0)
		return "groups are left";
	if (syscall(SYS_capget, &left.head, left.data))
		return "capabilities can't be read";
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		if (left.data[i].effective | left.data[i].permitted | left.data[i].inheritable)
			return "capabilities are left";
	for (unsigned long capability = 0; capability < 64; capability++)
		if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) > 0)
			return "the bounding set is not empty";
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return "new privileges can be gained";
	return setuid(0) == 0 ? "root can be regained" : NULL;
}

/* After the credentials: the kernel clears the death signal when they change. */
static int follow_monitor(const struct wd_service *service)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return -errno;
	return getppid() == service->monitor ? 0 : -ESRCH;
}

static int become_service(const struct wd_service *service)
{
	const char *left;
	int err = drop_privileges(service);

	if (err)
		return wd_fail(EX_OSERR, "drop privileges", "service", err, NULL);
	left = find_privilege(service);
	if (left)
		return wd_fail(EX_SOFTWARE, "drop privileges", "service", 0, left);
	err = follow_monitor(service);
	return err ? wd_fail(EX_SOFTWARE, "service", "monitor", err, NULL) : EX_OK;
}

_Noreturn void wd_service_exec(const struct wd_service *service)
{
	char app[PATH_MAX];
	int err, code = wait_for_go(service);

	if (code)
		_exit(code);
	err = reset_signals();
	if (err)
		_exit(wd_fail(EX_OSERR, "signals", "service", err, NULL));
	code = mount_app(service, app);
	if (!code)
		code = become_service(service);
	if (code)
		_exit(code);
	syscall(SYS_close_range, FIRST_FREE_FD, ~0U, 0);
	if (chdir(app))
		_exit(wd_fail(EX_NOPERM, "application directory", service->app, errno,
			      "the service's user can't read it: let others read and enter it"));
	wd_environment_clear(service->bundle != NULL);
	execvp(service->command[0], service->command);
	_exit(wd_fail(EX_UNAVAILABLE, "execute", service->command[0], errno,
		      "paths are relative to --app; the service's user must be able to run it"));
}

/*
 * Of the file, and of no other source of users: those are libraries that a configuration names, and
 * whoever may write that would run code in this process.
 */
int wd_find_user(const char *name, uid_t *ret_uid, gid_t *ret_gid)
{
	_cleanup_file_ FILE *users = fopen("/etc/passwd", "re");
	struct passwd *user = users ? fgetpwent(users) : NULL;

	while (user && strcmp(user->pw_name, name))
		user = fgetpwent(users);

	if (!user)
		return wd_fail(EX_NOUSER, "user", name, 0, "not in /etc/passwd: create it first");
	if (user->pw_uid == 0 || user->pw_gid == 0)
		return wd_fail(EX_USAGE, "user", name, 0, "a service must not run as root");
	*ret_uid = user->pw_uid;
	*ret_gid = user->pw_gid;
	return EX_OK;
}

static int make_app_mount_point(const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/app", dir);
	if (mkdir(path, 0755) && errno != EEXIST)
		return wd_fail(EX_CANTCREAT, "mount point", path, errno, NULL);
	return EX_OK;
}

int wd_service_prepare(const struct wd_options *options, struct wd_service *service, int *ret_lock)
{
	int code = wd_find_user(options->user, &service->uid, &service->gid);

	if (!code)
		code = wd_place_make(options->dir);
	if (!code)
		code = wd_place_lock(options->dir, ret_lock);
	if (!code)
		code = wd_place_state(options->state, service->uid, service->gid);
	if (!code)
		code = make_app_mount_point(options->dir);
	service->dir = options->dir;
	service->app = options->app;
	service->command = options->command;
	return code;
}
