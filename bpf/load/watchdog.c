/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One write to ftrace_enabled stops every trampoline, and nothing that hangs on one can tell of it.
 * What is used here runs all the same: bpf(2) itself, a test run of a syscall program, files.
 */
#include "watchdog.h"

#include "cleanup.h"
#include "json.h"
#include "prove.h"
#include "raise.h"
#include "say.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#define FTRACE "/proc/sys/kernel/ftrace_enabled"

static const struct {
	enum wd_wrong bit;
	const char *name;
	const char *text;
} WRONGS[] = {
	{ WD_WRONG_CANARY, "canary", "the programs did not see a call" },
	{ WD_WRONG_FTRACE, "ftrace", "ftrace_enabled is 0" },
	{ WD_WRONG_LINKS, "links", "a link has lost its program" },
	{ WD_WRONG_PINS, "pins", "pins are gone: it ends with the monitor" },
	{ WD_WRONG_HIDDEN, "hidden", "services would start with other pins than its own" },
	{ WD_WRONG_STOPPED, "stopped", "the services are stopped" },
	{ WD_WRONG_FROZEN, "frozen", "the services are frozen" },
};

/* With these alone it decides all the same. */
#define UNHEARD (WD_WRONG_STOPPED | WD_WRONG_FROZEN)
#define STILL_RUNS (WD_WRONG_PINS | WD_WRONG_HIDDEN | UNHEARD)
/* Looks are a second apart: beyond this the monitor stood still. */
#define GAP_MS 4000

static bool is_ftrace_off(void)
{
	_cleanup_fd_ int fd = open(FTRACE, O_RDONLY | O_CLOEXEC);
	char first = '1';

	return fd >= 0 && read(fd, &first, 1) == 1 && first == '0';
}

static bool lost_link(const struct wd_set *set)
{
	for (int i = 0; i < WD_HOOKS; i++) {
		struct bpf_link_info info = {};
		__u32 len = sizeof(info);

		if (set->hook[i] < 0)
			continue;
		if (bpf_obj_get_info_by_fd(set->hook[i], &info, &len) || info.prog_id == 0)
			return true;
	}
	return false;
}

static bool lost_pin(const char *dir, const struct wd_set *set)
{
	for (int i = 0; i < WD_HOOKS; i++) {
		char path[PATH_MAX];

		if (set->hook[i] < 0)
			continue;
		wd_set_hook_path(path, dir, set->generation, i);
		if (access(path, F_OK))
			return true;
	}
	return false;
}

/* The kernel's number of a device, which is not that of stat(2). */
static __u32 number_of(dev_t device)
{
	return major(device) << 20 | minor(device);
}

/* True when what is at DIR/bpf is another file system than the one with our pins. */
static bool is_hidden(const char *dir, const struct wd_set *set)
{
	struct wd_config config;
	char path[PATH_MAX];
	struct stat at;

	if (wd_config_read(set, &config) || !config.own_device)
		return false;
	snprintf(path, sizeof(path), "%s/bpf", dir);
	return stat(path, &at) || number_of(at.st_dev) != config.own_device;
}

/* The first line of a file, or "" when it can't be read. */
static void read_line(const char *path, char *ret_line, int room)
{
	_cleanup_file_ FILE *file = fopen(path, "re");

	if (!file || !fgets(ret_line, room, file))
		ret_line[0] = 0;
}

/* The name in the middle may hold anything but what follows its last bracket. */
static bool is_stopped(pid_t pid)
{
	char path[64], line[512];
	const char *bracket;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	read_line(path, line, sizeof(line));
	bracket = strrchr(line, ')');
	return bracket && (!strncmp(bracket, ") T", 3) || !strncmp(bracket, ") t", 3));
}

/* Of the unified hierarchy; a host without one has no such freezer. */
static bool is_frozen(pid_t pid)
{
	char path[PATH_MAX + 64], line[PATH_MAX + 8];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	read_line(path, line, sizeof(line));
	if (strncmp(line, "0::/", 4))
		return false;
	line[strcspn(line, "\n")] = 0;
	snprintf(path, sizeof(path), "/sys/fs/cgroup%.*s/cgroup.freeze", PATH_MAX - 32, line + 3);
	read_line(path, line, sizeof(line));
	return line[0] == '1';
}

static __u32 find_standing(pid_t service)
{
	if (service <= 0)
		return 0;
	return (is_stopped(service) ? WD_WRONG_STOPPED : 0) |
	       (is_frozen(service) ? WD_WRONG_FROZEN : 0);
}

/* That ftrace is off matters where a hook hangs on it, and then the canary is not seen either. */
static __u32 find_wrong(const struct wd_watchdog *watchdog, const struct wd_set *set)
{
	__u32 wrong = find_standing(watchdog->service);

	if (wd_canary(set))
		wrong |= WD_WRONG_CANARY;
	if (wrong && is_ftrace_off())
		wrong |= WD_WRONG_FTRACE;
	if (lost_link(set))
		wrong |= WD_WRONG_LINKS;
	if (is_hidden(watchdog->dir, set))
		wrong |= WD_WRONG_HIDDEN;
	else if (lost_pin(watchdog->dir, set))
		wrong |= WD_WRONG_PINS;
	return wrong;
}

static void put_words(__u32 wrong, char *ret_text, size_t room)
{
	size_t len = 0;

	ret_text[0] = 0;
	for (size_t i = 0; i < WD_COUNT(WRONGS); i++)
		if (wrong & WRONGS[i].bit && len < room)
			len += snprintf(ret_text + len, room - len, "%s%s", len ? "; " : "",
					WRONGS[i].text);
}

/* Beside, then over it: a reader finds one or the other, whole. */
static int write_state(const struct wd_watchdog *watchdog, __u32 wrong)
{
	_cleanup_file_ FILE *file = NULL;
	struct wd_json json = {};
	char path[PATH_MAX], beside[PATH_MAX];

	snprintf(path, sizeof(path), "%s/guard.json", watchdog->dir);
	snprintf(beside, sizeof(beside), "%s/guard.json.next", watchdog->dir);
	file = fopen(beside, "we");
	if (!file)
		return -errno;
	json.out = file;
	wd_json_open(&json, NULL, '{');
	wd_json_text(&json, "schema", "warden.guard/1");
	wd_json_bool(&json, "runs", !(wrong & ~(__u32)STILL_RUNS));
	wd_json_open(&json, "wrong", '[');
	for (size_t i = 0; i < WD_COUNT(WRONGS); i++)
		if (wrong & WRONGS[i].bit)
			wd_json_text(&json, NULL, WRONGS[i].name);
	wd_json_close(&json, ']');
	wd_json_number(&json, "since_boot_ms", wd_boot_ms());
	wd_json_number(&json, "monitor", getpid());
	wd_json_close(&json, '}');
	fputc('\n', file);
	if (fflush(file) || fchmod(fileno(file), 0644) || rename(beside, path))
		return -errno;
	return 0;
}

static void tell_kernel_log(int level, const char *text)
{
	_cleanup_fd_ int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	char line[256];
	int len = snprintf(line, sizeof(line), "<%d>bpf-warden: guard: %s\n", level, text);

	/* A machine without it has stderr, the record and the file. */
	if (fd < 0 || write(fd, line, len) != len)
		return;
}

static const char *what_it_is(__u32 wrong)
{
	if (wrong & ~(__u32)STILL_RUNS)
		return "does not run";
	if (wrong & WD_WRONG_PINS)
		return "not held";
	return wrong & WD_WRONG_HIDDEN ? "not found" : "not heard";
}

static void tell(const struct wd_set *set, __u32 wrong, __u32 before)
{
	char text[WD_RAISE_REASON], words[WD_RAISE_REASON - 20];
	__u32 action = WD_RAISE_CLEARED;

	if (wrong) {
		put_words(wrong, words, sizeof(words));
		snprintf(text, sizeof(text), "%s: %s", what_it_is(wrong), words);
		action = wrong & ~(__u32)UNHEARD ? WD_RAISE_SET : WD_SAID_UNHEARD;
	} else {
		snprintf(text, sizeof(text), "%s",
			 before & ~(__u32)UNHEARD ? "runs again" : "heard again");
	}
	wd_note("guard: %s", text);
	tell_kernel_log(wrong ? 1 : 5, text);
	wd_say_state(set, WD_SAID_GUARD, action, text);
}

static int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Afterwards, as nobody could before: by whom it was stopped no one has seen. */
static void tell_gap(struct wd_watchdog *watchdog, const struct wd_set *set)
{
	int64_t now = monotonic_ms(), gap = now - watchdog->looked_ms;
	char text[WD_RAISE_REASON];

	if (watchdog->looked_ms && gap > GAP_MS) {
		snprintf(text, sizeof(text),
			 "was not watched for %lld.%lld s: its monitor was stopped, frozen or "
			 "starved",
			 (long long)(gap / 1000), (long long)(gap % 1000 / 100));
		wd_note("guard: %s", text);
		tell_kernel_log(1, text);
		wd_say_state(set, WD_SAID_GUARD, WD_SAID_UNHEARD, text);
	}
	watchdog->looked_ms = now;
}

/* The file's time is the last look: whoever reads it sees whether anybody looks. */
static void note_look(const struct wd_watchdog *watchdog)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/guard.json", watchdog->dir);
	if (utimensat(AT_FDCWD, path, NULL, 0))
		write_state(watchdog, watchdog->wrong);
}

int64_t wd_watchdog_look(struct wd_watchdog *watchdog, const struct wd_set *set)
{
	int64_t left = watchdog->next_ms - wd_boot_ms();
	__u32 wrong;

	if (left > 0)
		return left;
	watchdog->next_ms = wd_boot_ms() + WD_LOOK_EVERY_MS;
	tell_gap(watchdog, set);
	wrong = find_wrong(watchdog, set);
	if (watchdog->said && wrong == watchdog->wrong) {
		note_look(watchdog);
		return WD_LOOK_EVERY_MS;
	}
	if (wrong || watchdog->wrong)
		tell(set, wrong, watchdog->wrong);
	watchdog->said = true;
	watchdog->wrong = wrong;
	if (write_state(watchdog, wrong))
		wd_note("guard.json: %s: %s", watchdog->dir, strerror(errno));
	return WD_LOOK_EVERY_MS;
}
