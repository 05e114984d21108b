/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor. It holds the lock, starts the service again when it dies, and stops with it. The
 * programs stay attached while no service runs: the rings fill, and what they can't hold counts.
 */
#include "run.h"

#include "boot.h"
#include "change.h"
#include "cleanup.h"
#include "forget.h"
#include "load.h"
#include "place.h"
#include "prove.h"
#include "raise.h"
#include "restart.h"
#include "say.h"
#include "seal.h"
#include "service.h"
#include "source.h"
#include "watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define STOP_GRACE_MS 10000
#define PROVEN_MS 60000

struct monitor {
	const struct wd_options *options;
	struct wd_service service;
	struct wd_set set;
	struct wd_watchdog watchdog;
	struct wd_changes changes;
	int64_t forget_ms;     /* the next time, CLOCK_BOOTTIME */
	__u8 bundle[WD_DIGEST_LEN]; /* of the release, while it is sealed */
	sigset_t signals;
	pid_t child;
	struct wd_restarts restarts;
	int64_t started_ms;    /* the service, CLOCK_BOOTTIME */
	bool was_there;	       /* a guard was in force before us */
	bool has_lived;	       /* a service of ours: what ends one from then on is a death */
	bool applied;	       /* another policy was applied: it may be why a service ends */
	bool told_to_stop;     /* while we were ending the service for another reason */
	bool gave_up;
};

enum outcome {
	OUTCOME_DONE,	       /* the service said it is done, or handed a code on */
	OUTCOME_DIED,
	OUTCOME_STOPPED,       /* we were told to stop */
	OUTCOME_AGAIN,	       /* we were told to start it again: no death of its own */
};

/* Forks; the child waits until it has its role, so that none of its calls is ever audited. */
static int start(struct monitor *monitor)
{
	_cleanup_fd_ int go = -1;
	int pipe_fds[2], err, code;

	monitor->started_ms = wd_boot_ms();
	code = wd_seal_allows_service(&monitor->set, &monitor->service, monitor->bundle);
	if (code)
		return code;
	if (pipe2(pipe_fds, O_CLOEXEC))
		return wd_fail(EX_OSERR, "pipe", "service", errno, NULL);
	monitor->service.monitor = getpid();
	monitor->service.go = pipe_fds[0];
	go = pipe_fds[1];
	monitor->child = fork();
	if (monitor->child == 0) {
		wd_close_fd(&go);
		wd_service_exec(&monitor->service);
	}
	close(pipe_fds[0]);
	if (monitor->child < 0)
		return wd_fail(EX_OSERR, "fork", "service", errno, NULL);
	err = wd_give_role(&monitor->set, monitor->child, WD_ROLE_SERVICE);
	if (err)
		return wd_fail(EX_OSERR, "give role", "service", err, NULL);
	if (write(go, "", 1) != 1)
		return wd_fail(EX_OSERR, "start", "service", errno, NULL);
	monitor->watchdog.service = monitor->child;
	return EX_OK;
}

/* Waits for a signal, at most `ms`, or until the watchdog looks. Returns its number, or 0. */
static int wait_signal(struct monitor *monitor, int64_t ms)
{
	int64_t look = wd_watchdog_look(&monitor->watchdog, &monitor->set);
	struct timespec limit;
	int number;

	ms = ms < look ? ms : look;
	look = wd_changes_look(&monitor->changes, &monitor->set);
	ms = ms < look ? ms : look;
	look = wd_forget_look(&monitor->forget_ms, &monitor->set);
	ms = ms < look ? ms : look;
	limit = (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	do {
		number = sigtimedwait(&monitor->signals, NULL, &limit);
	} while (number < 0 && errno == EINTR);
	return number < 0 ? 0 : number;
}

/* True when the child is gone, with its status. */
static bool reap(struct monitor *monitor, int *ret_status)
{
	pid_t pid;

	do {
		pid = waitpid(monitor->child, ret_status, WNOHANG);
	} while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return false;
	monitor->child = -1;
	monitor->watchdog.service = 0;
	return true;
}

/* True for a signal that is to end us; remembered, as it comes once. */
static bool is_stop(int number, struct monitor *monitor)
{
	if (number == 0 || number == SIGCHLD || number == SIGUSR1 || number == SIGIO)
		return false;
	monitor->told_to_stop = true;
	return true;
}

/* Ends the child: SIGTERM, ten seconds, SIGKILL. Returns an exit code. */
static int stop(struct monitor *monitor)
{
	int64_t deadline = wd_boot_ms() + STOP_GRACE_MS;
	int status = 0;

	kill(monitor->child, SIGTERM);
	while (!reap(monitor, &status)) {
		int64_t left = deadline - wd_boot_ms();

		if (left > 0) {
			is_stop(wait_signal(monitor, left), monitor);
			continue;
		}
		wd_note("service: pid %d: did not stop in 10 s: killed", monitor->child);
		kill(monitor->child, SIGKILL);
		waitpid(monitor->child, &status, 0);
		monitor->child = -1;
		monitor->watchdog.service = 0;
		return EX_SOFTWARE;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) >= EX__BASE && WEXITSTATUS(status) <= EX__MAX)
		return WEXITSTATUS(status);
	return EX_OK;
}

/*
 * A first service that can't start says so by its code, and whoever starts us hears of it. One that
 * has lived, or is started again, dies like any other, whatever it says: a disk that is full or a
 * policy that was applied must not unload the guard. One that is done is done.
 */
static bool is_final(const struct monitor *monitor, int status, int *ret_code)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	if (code != 0 && (monitor->has_lived || code < EX__BASE || code > EX__MAX ||
			  code == EX_TEMPFAIL))
		return false;
	*ret_code = code;
	return true;
}

/* `code`: of a start that failed. */
static void say_death(const struct monitor *monitor, int status, int code)
{
	long long ms = monitor->restarts.backoff_ms;

	if (code)
		wd_note("service: not started: again in %lld ms", ms);
	else if (WIFSIGNALED(status))
		wd_note("service: killed by signal %d: restart in %lld ms", WTERMSIG(status), ms);
	else
		wd_note("service: exit code %d: restart in %lld ms", WEXITSTATUS(status), ms);
}

static void take_source(struct monitor *monitor)
{
	monitor->applied = true;
	wd_source_take(monitor->options->dir);
}

/* Ends the child for a policy that was applied; one more may have been, meanwhile. */
static int start_over(struct monitor *monitor)
{
	int code = stop(monitor);

	take_source(monitor);
	return code;
}

/* It reads the policy as it starts: what lives for a minute can live with it. */
static void note_life(struct monitor *monitor)
{
	if (wd_boot_ms() - monitor->started_ms < PROVEN_MS)
		return;
	monitor->has_lived = true;
	if (!monitor->applied)
		return;
	monitor->applied = false;
	wd_source_prove();
}

static enum outcome watch(struct monitor *monitor, int *ret_status, int *ret_code)
{
	for (;;) {
		int number = wait_signal(monitor, WD_LOOK_EVERY_MS);

		note_life(monitor);
		/* Before a stop too: the services are to tell of all of it. */
		if (number != SIGCHLD)
			wd_declare_skipped(&monitor->set);
		if (number == SIGUSR1) {
			*ret_code = start_over(monitor);
			return monitor->told_to_stop ? OUTCOME_STOPPED : OUTCOME_AGAIN;
		}
		if (is_stop(number, monitor)) {
			*ret_code = stop(monitor);
			return OUTCOME_STOPPED;
		}
		if (reap(monitor, ret_status))
			return is_final(monitor, *ret_status, ret_code) ? OUTCOME_DONE :
									  OUTCOME_DIED;
	}
}

/* The pause before a restart; true when we were told to stop in it. */
static bool pause_is_interrupted(struct monitor *monitor)
{
	int64_t deadline = wd_boot_ms() + monitor->restarts.backoff_ms;

	for (;;) {
		int64_t left = deadline - wd_boot_ms();
		int number;

		if (left <= 0)
			return false;
		number = wait_signal(monitor, left);
		if (is_stop(number, monitor))
			return true;
		if (number == SIGUSR1)
			take_source(monitor);
	}
}

/* A policy's text that services can't read leaves them with the one before: they record. */
static void go_back(struct monitor *monitor, int status)
{
	static const char text[] = "services can't live with the policy that was applied: it is in "
				   "force, and they go on with the one before";

	if (!monitor->applied || !WIFEXITED(status) || WEXITSTATUS(status) != EX_CONFIG ||
	    !wd_source_back())
		return;
	monitor->applied = false;
	wd_note("%s", text);
	wd_say_state(&monitor->set, WD_SAID_GUARD, WD_RAISE_REFUSED, text);
}

/* Fail static: the programs stay, and the rings hold what they see, for the next start. */
static int give_up(struct monitor *monitor)
{
	monitor->gave_up = true;
	return wd_fail(EX_SOFTWARE, "service", monitor->service.command[0], 0,
		       "died more than 10 times in 60 s: gave up; the programs stay attached");
}

/* A start that failed half-way leaves nobody behind; there may be room for another one later. */
static void end_half_started(struct monitor *monitor)
{
	if (monitor->child <= 0)
		return;
	kill(monitor->child, SIGKILL);
	waitpid(monitor->child, NULL, 0);
	monitor->child = -1;
}

/* A first service that can't start ends us; a guard that was there before us stays. */
static int fail_first(struct monitor *monitor, int code)
{
	monitor->gave_up = monitor->was_there && code;
	return code;
}

static int keep_running(struct monitor *monitor)
{
	wd_source_prove();
	for (;; monitor->has_lived = true) {
		enum outcome outcome = OUTCOME_DIED;
		int status = 0, code = start(monitor);

		if (code)
			end_half_started(monitor);
		else
			outcome = watch(monitor, &status, &code);
		if (outcome == OUTCOME_AGAIN)
			continue;
		if (outcome == OUTCOME_STOPPED)
			return code;
		if (outcome == OUTCOME_DONE || (code && !monitor->has_lived))
			return fail_first(monitor, code);
		if (!wd_may_restart(&monitor->restarts, monitor->started_ms))
			return give_up(monitor);
		say_death(monitor, status, code);
		go_back(monitor, status);
		if (pause_is_interrupted(monitor))
			return EX_OK;
	}
}

/* What we wait for is blocked from the start, so that a Ctrl-C while loading is not lost. */
static void block_signals(sigset_t *ret_signals)
{
	/* Whoever started us may ignore these; we live by the one and must not die of the other. */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(ret_signals);
	sigaddset(ret_signals, SIGINT);
	sigaddset(ret_signals, SIGTERM);
	sigaddset(ret_signals, SIGHUP);
	sigaddset(ret_signals, SIGUSR1);
	sigaddset(ret_signals, SIGCHLD);
	sigaddset(ret_signals, SIGIO);
	sigprocmask(SIG_BLOCK, ret_signals, NULL);
	/* Ignored by every other verb; from here on it waits for us. */
	signal(SIGUSR1, SIG_DFL);
}

static void begin_monitor(struct monitor *monitor, const struct wd_options *options)
{
	*monitor = (struct monitor){
		.options = options,
		.child = -1,
		.watchdog.dir = options->dir,
		.changes = { .dir = options->dir, .notify = -1 },
	};
	wd_set_init(&monitor->set);
	block_signals(&monitor->signals);
}

int wd_watch(const struct wd_options *options)
{
	static struct monitor monitor;
	_cleanup_fd_ int lock = -1;
	int code = wd_place_lock(options->dir, &lock);

	begin_monitor(&monitor, options);
	if (!code)
		code = wd_raise_open(options->dir, &monitor.set);
	while (!code && !monitor.told_to_stop)
		is_stop(wait_signal(&monitor, WD_LOOK_EVERY_MS), &monitor);
	wd_changes_end(&monitor.changes);
	wd_set_close(&monitor.set);
	return code;
}

int wd_run(const struct wd_options *options)
{
	static struct monitor monitor;
	static struct wd_policy policy;
	_cleanup_fd_ int lock = -1;
	int code, end;
	bool keep;

	begin_monitor(&monitor, options);
	code = wd_policy_read(options->policy, &policy);
	if (!code)
		code = wd_service_prepare(options, &monitor.service, &lock);
	if (code)
		return code;
	monitor.was_there = wd_bpffs_is_mounted(options->dir);
	/* All or nothing: a load that failed has left things as they were. */
	code = wd_load(options, monitor.service.gid, &policy, &monitor.set);
	if (code) {
		wd_set_close(&monitor.set);
		return code;
	}
	wd_boot_tell_off(&monitor.set, options->dir);
	code = keep_running(&monitor);
	keep = options->keep || monitor.gave_up || wd_is_sealed(&monitor.set);
	wd_changes_end(&monitor.changes);
	wd_set_close(&monitor.set);
	end = keep ? EX_OK : wd_unload(options->dir);
	return code ? code : end;
}
