// SPDX-License-Identifier: Apache-2.0
/*
 * Makes attacks one after the other, each as somebody else, and prints when each began and ended.
 *
 *	lab-run [-h] NAME:AUID:SETTLE:FIXTURE:PROGRAM:END...
 *
 * AUID: login uid of the attacker, `-` for a process without one. SETTLE: milliseconds to wait
 * afterwards for those who report. FIXTURE: what there is besides: `agent` makes its objects anew,
 * `served` stays as well, `starter` is a service manager, `none`. PROGRAM: as which executable.
 * END: `last` when guard or monitor may be gone afterwards. -h: after each attack somebody new
 * tries the forbidden load, to tell whether the guard is still there; when it is not, the rest is
 * for another boot.
 *
 * The policy lists this program as one that logs people in: the login uid that it writes counts.
 */
#include "agent.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define BIN "/usr/local/bin/"
#define ATTACK BIN "attack"
#define TIMEOUT_SECONDS 60
#define PROBER "10999"
#define TRUTH 1024

struct order {
	char name[64];
	char auid[16];
	int settle_ms;
	char fixture[16];
	char program[32];
	char end[8];
};

static long long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void sleep_ms(int ms)
{
	struct timespec span = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&span, NULL);
}

/* In a session of its own, with its output in `out`. */
static pid_t start(const char *auid, char *const argv[], int out)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (out >= 0)
		dup2(out, STDOUT_FILENO);
	if (strcmp(auid, "-") && write_file("/proc/self/loginuid", auid)) {
		perror("/proc/self/loginuid");
		_exit(71);
	}
	execv(argv[0], argv);
	perror(argv[0]);
	_exit(69);
}

/* Status, 128 and the signal, or -1 when it did not end in time. */
static int finish(pid_t pid)
{
	const char *limit = getenv("LAB_TIMEOUT");
	int status, seconds = limit ? atoi(limit) : TIMEOUT_SECONDS;

	for (int i = 0; i < seconds * 100; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		sleep_ms(10);
	}
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

static int run_as(const char *auid, char *const argv[], int out)
{
	pid_t pid = start(auid, argv, out);
	int status = finish(pid);

	kill(-pid, SIGKILL);
	return status;
}

/* The last line of an attack's output that is an object; null without one. */
static void read_truth(int out, char truth[TRUTH])
{
	char text[8 * TRUTH] = "", *line, *rest = text;
	ssize_t n = pread(out, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	strcpy(truth, "null");
	while ((line = strsep(&rest, "\n")))
		if (*line == '{' && strlen(line) < TRUTH)
			strcpy(truth, line);
}

/* Starts a program that stays, and waits for its socket. */
static pid_t start_server(char *const argv[], const char *socket)
{
	pid_t pid;

	unlink(socket);
	pid = start("-", argv, -1);
	for (int i = 0; i < 1000 && access(socket, F_OK); i++)
		sleep_ms(10);
	return pid;
}

static pid_t prepare(const struct order *order)
{
	char *const provision[] = { AGENT, "provision", NULL };
	char *const serve[] = { AGENT, "serve", NULL };
	char *const starter[] = { STARTER, "start", NULL };

	if (!strcmp(order->fixture, "none"))
		return 0;
	if (!strcmp(order->fixture, "starter"))
		return start_server(starter, STARTER_SOCKET);
	if (run_as("-", provision, -1))
		fprintf(stderr, "%s: the agent could not make its objects\n", order->name);
	return strcmp(order->fixture, "served") ? 0 : start_server(serve, AGENT_SOCKET);
}

static void attack(const struct order *order)
{
	char program[64];
	char *const argv[] = { program, (char *)order->name, NULL };
	char path[] = "/tmp/lab-truth-XXXXXX", truth[TRUTH];
	_cleanup_fd_ int out = mkstemp(path);
	pid_t agent = prepare(order);
	long long begin, end;
	int status;

	snprintf(program, sizeof(program), BIN "%s", order->program);
	sleep_ms(50);
	begin = now_us();
	status = run_as(order->auid, argv, out);
	sleep_ms(order->settle_ms);
	end = now_us();
	sleep_ms(50);
	if (agent > 0) {
		kill(agent, SIGKILL);
		waitpid(agent, NULL, 0);
	}
	unlink(path);
	read_truth(out, truth);
	printf("{\"attack\":\"%s\",\"begin\":%lld,\"end\":%lld,\"status\":%d,\"truth\":%s}\n",
	       order->name, begin, end, status, truth);
}

/* Whether the guard still refuses, and what it refuses is what it refused before. */
static bool guarded(void)
{
	char *const argv[] = { ATTACK, "forbidden", NULL };

	return run_as(PROBER, argv, -1) == 1;
}

#define WATCHDOG_MS 3000

/* What the product says of itself, when it has had time to look. */
static bool monitored(void)
{
	char text[1024];

	if (!guard_pid())
		return true;
	sleep_ms(WATCHDOG_MS);
	return !kill(guard_pid(), 0) && !read_file("/run/warden/guard.json", text, sizeof(text)) &&
	       strstr(text, "\"runs\":true");
}

static void to_console(const char *text)
{
	_cleanup_fd_ int fd = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0)
		dprintf(fd, "lab: %s\n", text);
}

static bool read_order(const char *text, struct order *order)
{
	return sscanf(text, "%63[^:]:%15[^:]:%d:%15[^:]:%31[^:]:%7s", order->name, order->auid,
		      &order->settle_ms, order->fixture, order->program, order->end) == 6;
}

int main(int argc, char **argv)
{
	bool health = argc > 1 && !strcmp(argv[1], "-h");

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = health ? 2 : 1; i < argc; i++) {
		struct order order = {};
		bool alive;

		if (!read_order(argv[i], &order)) {
			fprintf(stderr, "%s: see the head of run.c\n", argv[i]);
			return 64;
		}
		to_console(order.name);
		attack(&order);
		alive = (!health || guarded()) && (strcmp(order.end, "last") || monitored());
		if (!alive) {
			printf("{\"lost\":\"%s\"}\n", order.name);
			return 0;
		}
	}
	return 0;
}
