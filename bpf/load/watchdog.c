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
};

static int64_t now_ms(void)
{
	return (int64_t)(wd_boot_ns() / 1000000);
}

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

/* That ftrace is off matters where a hook hangs on it, and then the canary is not seen either. */
static __u32 find_wrong(const char *dir, const struct wd_set *set)
{
	__u32 wrong = 0;

	if (wd_canary(set))
		wrong |= WD_WRONG_CANARY;
	if (wrong && is_ftrace_off())
		wrong |= WD_WRONG_FTRACE;
	if (lost_link(set))
		wrong |= WD_WRONG_LINKS;
	if (lost_pin(dir, set))
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
	wd_json_bool(&json, "runs", !(wrong & ~WD_WRONG_PINS));
	wd_json_open(&json, "wrong", '[');
	for (size_t i = 0; i < WD_COUNT(WRONGS); i++)
		if (wrong & WRONGS[i].bit)
			wd_json_text(&json, NULL, WRONGS[i].name);
	wd_json_close(&json, ']');
	wd_json_number(&json, "since_boot_ms", now_ms());
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

static void tell(const struct wd_set *set, __u32 wrong)
{
	char text[WD_RAISE_REASON] = "runs again", words[WD_RAISE_REASON - 20];

	if (wrong) {
		put_words(wrong, words, sizeof(words));
		snprintf(text, sizeof(text), "%s: %s",
			 wrong & ~WD_WRONG_PINS ? "does not run" : "not held", words);
	}
	wd_note("guard: %s", text);
	tell_kernel_log(wrong ? 1 : 5, text);
	wd_say_state(set, WD_SAID_GUARD, wrong ? WD_RAISE_SET : WD_RAISE_CLEARED, text);
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
	int64_t left = watchdog->next_ms - now_ms();
	__u32 wrong;

	if (left > 0)
		return left;
	watchdog->next_ms = now_ms() + WD_LOOK_EVERY_MS;
	wrong = find_wrong(watchdog->dir, set);
	if (watchdog->said && wrong == watchdog->wrong) {
		note_look(watchdog);
		return WD_LOOK_EVERY_MS;
	}
	if (wrong || watchdog->wrong)
		tell(set, wrong);
	watchdog->said = true;
	watchdog->wrong = wrong;
	if (write_state(watchdog, wrong))
		wd_note("guard.json: %s: %s", watchdog->dir, strerror(errno));
	return WD_LOOK_EVERY_MS;
}
