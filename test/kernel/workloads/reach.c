/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries to reach the guard itself, and BPF by ways that are not bpf(2). What succeeds is undone
 * where it can be.
 *
 *	reach DIR PID	DIR: warden-load's run-time directory; PID: of a service
 */
#include "tries.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/perf_event.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>

static long sys_bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static long obj_get(const char *path)
{
	union bpf_attr attr = { .pathname = (uintptr_t)path };

	return sys_bpf(BPF_OBJ_GET, &attr);
}

static int make_array(__u32 flags)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 512,
		.map_flags = flags,
	};

	return (int)sys_bpf(BPF_MAP_CREATE, &attr);
}

/* r0 = 0; exit */
static int load(__u32 type, __u32 attach_type)
{
	static const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = type,
		.insns = (uintptr_t)program,
		.insn_cnt = COUNT(program),
		.license = (uintptr_t)"GPL",
		.expected_attach_type = attach_type,
	};

	return (int)sys_bpf(BPF_PROG_LOAD, &attr);
}

static long rename_pin(const char *dir)
{
	char to[PATH_ROOM];

	snprintf(to, sizeof(to), "%s/bpf/moved", dir);
	return rename(in(dir, "bpf/subjects"), to);
}

static void by_pins(const char *dir)
{
	say("obj_get config", obj_get(in(dir, "bpf/config")));
	say("obj_get subjects", obj_get(in(dir, "bpf/subjects")));
	say("open iterator", open(in(dir, "bpf/inventory_maps"), O_RDONLY));
	say("unlink", unlink(in(dir, "bpf/subjects")));
	say("rename", rename_pin(dir));
	say("mkdir", mkdir(in(dir, "bpf/ours"), 0700));
}

static void by_sysctl(void)
{
	int fd = open("/proc/sys/kernel/ftrace_enabled", O_WRONLY);

	say("ftrace_enabled", fd < 0 ? -1 : write(fd, "0\n", 2));
	close(fd);
}

static void by_ptrace(pid_t pid)
{
	char path[64];

	say("ptrace", ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	say("mem", open(path, O_RDWR));
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	say("pidfd_getfd", syscall(SYS_pidfd_getfd, pidfd, 3, 0));
}

/* All that there is, by id: how many of the three kinds are called like one of ours. */
static void by_id(void)
{
	union bpf_attr attr = {};
	int ours = 0;

	while (!sys_bpf(BPF_MAP_GET_NEXT_ID, &attr)) {
		union bpf_attr get = { .map_id = attr.next_id };
		struct bpf_map_info info = {};
		long fd = sys_bpf(BPF_MAP_GET_FD_BY_ID, &get);

		attr.start_id = attr.next_id;
		if (fd < 0)
			continue;
		union bpf_attr ask = { .info = { fd, sizeof(info), (uintptr_t)&info } };

		if (!sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &ask))
			ours += !strcmp(info.name, "raises") || !strcmp(info.name, "config");
		close(fd);
	}
	errno = ENOENT;
	say("map by id", ours ? 0 : -1);
}

static void by_sockets(void)
{
	struct sock_filter pass = { BPF_RET | BPF_K, 0, 0, 0xffff };
	struct sock_fprog filter = { 1, &pass };
	int udp = socket(AF_INET, SOCK_DGRAM, 0), raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	int packet = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	int program = load(BPF_PROG_TYPE_SOCKET_FILTER, 0);

	say("SO_ATTACH_BPF", setsockopt(udp, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)));
	say("SO_ATTACH_FILTER udp",
	    setsockopt(udp, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)));
	say("SO_ATTACH_FILTER raw",
	    setsockopt(raw, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)));
	say("SO_ATTACH_FILTER packet",
	    setsockopt(packet, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)));
}

static void by_perf(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000,
	};
	int program = load(BPF_PROG_TYPE_PERF_EVENT, 0);
	int event = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);

	say("PERF_EVENT_IOC_SET_BPF", ioctl(event, PERF_EVENT_IOC_SET_BPF, program));
	close(event);
}

/* XDP on lo: `fd` -1 takes it off again. */
static long set_xdp(int fd)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
		struct nlattr xdp;
		struct nlattr number;
		__s32 fd;
	} message = {
		.head = { sizeof(message), RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0 },
		.link = { .ifi_index = 1 },
		.xdp = { sizeof(message.xdp) + sizeof(message.number) + sizeof(message.fd),
			 IFLA_XDP | NLA_F_NESTED },
		.number = { sizeof(message.number) + 4, IFLA_XDP_FD },
		.fd = fd,
	};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr answer;
		char rest[1024];
	} got = {};
	int sock = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	long result = send(sock, &message, sizeof(message), 0);

	if (result > 0 && recv(sock, &got, sizeof(got), 0) > 0 && got.answer.error) {
		errno = -got.answer.error;
		result = -1;
	}
	close(sock);
	return result;
}

/* A filter of tc, its kind as long as that: refused by who knows it, else for want of a device. */
static long add_filter(unsigned short length)
{
	struct {
		struct nlmsghdr head;
		struct tcmsg filter;
		struct rtattr kind;
		char name[8];
	} message = {
		.head = { .nlmsg_type = RTM_NEWTFILTER,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE },
		.filter = { .tcm_ifindex = 1 },
		.kind = { .rta_type = TCA_KIND, .rta_len = length },
		.name = "bpf",
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	long sent;

	message.head.nlmsg_len = NLMSG_LENGTH(sizeof(message.filter)) + length;
	sent = send(fd, &message, message.head.nlmsg_len, 0);
	close(fd);
	return sent;
}

static void by_netlink(void)
{
	say("cls_bpf by netlink", add_filter(RTA_LENGTH(4)));
	say("cls_bpf by netlink, without a NUL", add_filter(RTA_LENGTH(3)));
	say("cls_bpf by netlink, with more behind", add_filter(RTA_LENGTH(8)));
	say("XDP by netlink", set_xdp(load(BPF_PROG_TYPE_XDP, 0)));
	set_xdp(-1);
}

static void by_fds(void)
{
	int map = make_array(BPF_F_MMAPABLE), pair[2], one = 0;
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);

	say("mmap", memory == MAP_FAILED ? -1 : 0);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &map, sizeof(map));
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) || sendmsg(pair[0], &message, 0) < 0)
		return say("SCM_RIGHTS", -1);
	one = recvmsg(pair[1], &message, 0) > 0 && message.msg_controllen > 0 ? 0 : -1;
	errno = EPERM;
	say("SCM_RIGHTS", one);
}

int main(int count, char **words)
{
	if (count != 3) {
		fprintf(stderr, "usage: reach DIR PID\n");
		return 64;
	}
	by_sockets();
	by_perf();
	by_netlink();
	by_fds();
	by_pins(words[1]);
	by_sysctl();
	by_ptrace(atoi(words[2]));
	/* Last: what others made is refused to some, who are then lowered for it. */
	by_id();
	return 0;
}
