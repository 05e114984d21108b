/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libbpf's samples do, with a skeleton of sample.bpf.c: loads, attaches to a tracepoint and to
 * a cgroup, lets both be hit, and reads what they counted.
 *
 *	skeleton CGROUP		prints {"execs":N,"packets":N}
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sample.skel.h"

#define IP_ON_THE_WIRE 8       /* the egress program counts by skb->protocol: htons(ETH_P_IP) */

static int exec_once(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		_exit(127);
	}
	return waitpid(pid, NULL, 0) == pid ? pid : -1;
}

/* From within the cgroup; the child leaves it by its end. */
static int send_once(const char *cgroup)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	char path[4096];
	pid_t pid = fork();
	int fd, sock;

	if (pid)
		return waitpid(pid, NULL, 0) == pid ? 0 : -1;
	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	/* A socket is of the cgroup that it was made in. */
	if (write(fd, "0", 1) == 1) {
		sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		sendto(sock, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
	}
	_exit(0);
}

static __u64 counted(const struct sample_bpf *sample, __u32 key)
{
	__u64 value = 0;

	bpf_map_lookup_elem(bpf_map__fd(sample->maps.sample_counts), &key, &value);
	return value;
}

static int count(struct sample_bpf *sample, const char *cgroup)
{
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int pid;

	sample->links.sample_exec = bpf_program__attach(sample->progs.sample_exec);
	sample->links.sample_egress = bpf_program__attach_cgroup(sample->progs.sample_egress, fd);
	close(fd);
	if (!sample->links.sample_exec || !sample->links.sample_egress)
		return 1;
	pid = exec_once();
	if (pid < 0 || send_once(cgroup))
		return 1;
	printf("{\"execs\":%llu,\"packets\":%llu}\n", counted(sample, pid),
	       counted(sample, IP_ON_THE_WIRE));
	return 0;
}

int main(int argc, char **argv)
{
	struct sample_bpf *sample;
	int failed;

	if (argc != 2) {
		fprintf(stderr, "usage: skeleton CGROUP\n");
		return 64;
	}
	sample = sample_bpf__open_and_load();
	if (!sample) {
		perror("sample");
		return 1;
	}
	failed = count(sample, argv[1]);
	sample_bpf__destroy(sample);
	return failed;
}
