// SPDX-License-Identifier: Apache-2.0
/*
 * Family around: what bpf(2) is not asked for. The attacker has made its program, is then lowered,
 * and tries to use it all the same; in the rows that end in -seen it was never lowered.
 */
#include "lab.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/perf_event.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "ring.h"

static struct sock_filter drop_all_classic[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
static const struct sock_fprog classic = { 1, drop_all_classic };

static int make_filter(void)
{
	const struct bpf_insn drop_all[] = { MOV_IMM(0, 0), EXIT() };

	return load_code(BPF_PROG_TYPE_SOCKET_FILTER, drop_all, COUNT(drop_all));
}

/* A UDP socket on the loopback device, and where to send to it. */
static int make_receiver(struct sockaddr_in *at, bool shared)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;
	socklen_t size = sizeof(*at);

	*at = (struct sockaddr_in){ .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(fd, (void *)at, size) || getsockname(fd, (void *)at, &size))
		return -1;
	return fd;
}

static void send_to(const struct sockaddr_in *at)
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sendto(fd, "x", 1, 0, (const void *)at, sizeof(*at)) != 1)
		return;
}

static bool hears(int fd, const struct sockaddr_in *at)
{
	struct pollfd wanted = { .fd = fd, .events = POLLIN };
	char packet[256];

	while (recv(fd, packet, sizeof(packet), MSG_DONTWAIT) > 0)
		;
	send_to(at);
	return poll(&wanted, 1, 200) > 0 && recv(fd, packet, sizeof(packet), MSG_DONTWAIT) > 0;
}

/* It heard before: is it deaf now? */
static struct outcome is_deaf(int fd, const struct sockaddr_in *at, const char *how)
{
	return hears(fd, at) ? futile(how) : gained(how);
}

static struct outcome attach_bpf(bool lowered)
{
	_cleanup_fd_ int filter = make_filter();
	struct sockaddr_in at;
	_cleanup_fd_ int fd = make_receiver(&at, false);

	if (filter < 0 || !hears(fd, &at))
		return failed("PROG_LOAD");
	if (lowered)
		get_lowered();
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &filter, sizeof(filter)))
		return failed("SO_ATTACH_BPF");
	return is_deaf(fd, &at, "SO_ATTACH_BPF");
}

static struct outcome attach_bpf_lowered(void)
{
	return attach_bpf(true);
}

static struct outcome attach_bpf_seen(void)
{
	return attach_bpf(false);
}

static struct outcome classic_filter(int fd, bool lowered)
{
	struct sockaddr_in at;
	_cleanup_fd_ int receiver = make_receiver(&at, false);

	if (fd < 0 || receiver < 0 || !hears(fd, &at))
		return failed("socket");
	if (lowered)
		get_lowered();
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &classic, sizeof(classic)))
		return failed("SO_ATTACH_FILTER");
	return is_deaf(fd, &at, "SO_ATTACH_FILTER");
}

static int packet_socket(void)
{
	struct sockaddr_ll lo = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex("lo") };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

	return bind(fd, (void *)&lo, sizeof(lo)) ? -1 : fd;
}

static struct outcome packet_filter(void)
{
	_cleanup_fd_ int fd = packet_socket();

	return classic_filter(fd, true);
}

static struct outcome packet_filter_seen(void)
{
	_cleanup_fd_ int fd = packet_socket();

	return classic_filter(fd, false);
}

static struct outcome raw_filter(void)
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP);

	return classic_filter(fd, true);
}

/* Packets of a group go where the program says. */
static struct outcome packet_fanout(void)
{
	_cleanup_fd_ int filter = make_filter(), fd = packet_socket();
	int group = 7 | PACKET_FANOUT_EBPF << 16;

	if (filter < 0 || fd < 0)
		return failed("PROG_LOAD");
	get_lowered();
	if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &group, sizeof(group)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_FANOUT_DATA, &filter, sizeof(filter)))
		return failed("PACKET_FANOUT_DATA");
	return gained("PACKET_FANOUT_DATA");
}

static struct outcome reuseport(int option, const void *value, socklen_t size, const char *how)
{
	struct sockaddr_in at;
	_cleanup_fd_ int fd = make_receiver(&at, true);

	get_lowered();
	if (setsockopt(fd, SOL_SOCKET, option, value, size))
		return failed(how);
	return gained(how);
}

static struct outcome reuseport_bpf(void)
{
	_cleanup_fd_ int filter = make_filter();

	if (filter < 0)
		return failed("PROG_LOAD");
	return reuseport(SO_ATTACH_REUSEPORT_EBPF, &filter, sizeof(filter),
			 "SO_ATTACH_REUSEPORT_EBPF");
}

static struct outcome uring_setsockopt(void)
{
	_cleanup_fd_ int filter = make_filter();
	struct sockaddr_in at;
	_cleanup_fd_ int fd = make_receiver(&at, false);
	int result;

	if (filter < 0 || !hears(fd, &at))
		return failed("PROG_LOAD");
	get_lowered();
	result = uring_do(&(struct uring_order){ .opcode = URING_CMD, .fd = fd,
						 .command = URING_SETSOCKOPT, .level = SOL_SOCKET,
						 .option = SO_ATTACH_BPF, .data = &filter,
						 .size = sizeof(filter) });
	errno = result < 0 ? -result : 0;
	return result < 0 ? failed("io_uring setsockopt") :
			    is_deaf(fd, &at, "io_uring setsockopt");
}

/* Counts its runs in a map that is mapped: no call is needed to read it. */
static struct outcome perf(bool lowered)
{
	_cleanup_fd_ int map = make_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_MMAPABLE);
	const struct bpf_insn code[] = {
		LOAD_64(1, BPF_PSEUDO_MAP_VALUE, map, 0),
		STORE_IMM(BPF_DW, 1, 0, 1),
		MOV_IMM(0, 0),
		EXIT(),
	};
	_cleanup_fd_ int fd = load_code(BPF_PROG_TYPE_PERF_EVENT, code, COUNT(code));
	struct perf_event_attr event = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(event),
					 .config = PERF_COUNT_SW_CPU_CLOCK, .freq = 1,
					 .sample_freq = 500 };
	_cleanup_fd_ int perf_fd = -1;
	volatile uint64_t *ran;

	ran = mmap(NULL, 4096, PROT_READ, MAP_SHARED, map, 0);
	if (fd < 0 || ran == MAP_FAILED)
		return failed("PROG_LOAD");
	if (lowered)
		get_lowered();
	perf_fd = (int)syscall(SYS_perf_event_open, &event, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (perf_fd < 0 || ioctl(perf_fd, PERF_EVENT_IOC_SET_BPF, fd))
		return failed("PERF_EVENT_IOC_SET_BPF");
	for (int i = 0; i < 30 && !*ran; i++)
		usleep(100000);
	return *ran ? gained("PERF_EVENT_IOC_SET_BPF") : futile("PERF_EVENT_IOC_SET_BPF");
}

static struct outcome perf_lowered(void)
{
	return perf(true);
}

static struct outcome perf_seen(void)
{
	return perf(false);
}

struct xdp_request {
	struct nlmsghdr header;
	struct ifinfomsg info;
	struct nlattr xdp, fd;
	int program;
	struct nlattr flags;
	uint32_t mode;
};

/* Asks the kernel by netlink to run a program on the loopback device; -1: none. */
static int set_xdp(int program)
{
	_cleanup_fd_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct xdp_request request = {
		.header = { .nlmsg_len = sizeof(request), .nlmsg_type = RTM_SETLINK,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.info = { .ifi_index = (int)if_nametoindex("lo") },
		.xdp = { .nla_len = sizeof(request) - offsetof(struct xdp_request, xdp),
			 .nla_type = IFLA_XDP | NLA_F_NESTED },
		.fd = { .nla_len = sizeof(struct nlattr) + sizeof(int), .nla_type = IFLA_XDP_FD },
		.program = program,
		.flags = { .nla_len = sizeof(struct nlattr) + sizeof(int),
			   .nla_type = IFLA_XDP_FLAGS },
		.mode = XDP_FLAGS_SKB_MODE,
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[512];
	} answer;

	if (send(fd, &request, sizeof(request), 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
		return -1;
	errno = -answer.error.error;
	return answer.error.error ? -1 : 0;
}

static struct outcome xdp(bool lowered)
{
	const struct bpf_insn code[] = { MOV_IMM(0, XDP_DROP), EXIT() };
	_cleanup_fd_ int program = load_code(BPF_PROG_TYPE_XDP, code, COUNT(code));
	struct outcome outcome;
	struct sockaddr_in at;
	_cleanup_fd_ int fd = make_receiver(&at, false);

	if (program < 0 || !hears(fd, &at))
		return failed("PROG_LOAD");
	if (lowered)
		get_lowered();
	if (set_xdp(program))
		return failed("netlink: IFLA_XDP_FD");
	outcome = is_deaf(fd, &at, "netlink: IFLA_XDP_FD");
	set_xdp(-1);
	return outcome;
}

static struct outcome xdp_lowered(void)
{
	return xdp(true);
}

static struct outcome xdp_seen(void)
{
	return xdp(false);
}

static struct outcome map_mmap(void)
{
	_cleanup_fd_ int map = make_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_MMAPABLE);
	volatile uint64_t *values;

	if (map < 0)
		return failed("MAP_CREATE");
	get_lowered();
	values = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	if (values == MAP_FAILED)
		return failed("mmap");
	values[0] = 1;
	return gained("mmap for writing");
}

/* What was mapped before the fall: from then on there is no call to refuse. */
static struct outcome mapped_before(void)
{
	_cleanup_fd_ int map = make_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_MMAPABLE);
	volatile uint64_t *values = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);

	if (map < 0 || values == MAP_FAILED)
		return failed("mmap");
	get_lowered();
	values[0] = 1;
	return gained("a write to memory");
}

/* Not attacks: what udev, DHCP clients and browsers do, whoever they are. */
static struct outcome netlink_filter(void)
{
	_cleanup_fd_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

	get_lowered();
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &classic, sizeof(classic)))
		return failed("SO_ATTACH_FILTER");
	return gained("SO_ATTACH_FILTER on AF_NETLINK");
}

static struct outcome seccomp(void)
{
	struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog program = { 1, allow };

	get_lowered();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		return failed("seccomp");
	return gained("seccomp");
}

const struct attack around_attacks[] = {
	{ "attach-bpf", attach_bpf_lowered },
	{ "attach-bpf-seen", attach_bpf_seen },
	{ "packet-filter", packet_filter },
	{ "packet-filter-seen", packet_filter_seen },
	{ "raw-filter", raw_filter },
	{ "packet-fanout", packet_fanout },
	{ "reuseport-bpf", reuseport_bpf },
	{ "uring-setsockopt", uring_setsockopt },
	{ "perf-ioctl", perf_lowered },
	{ "perf-ioctl-seen", perf_seen },
	{ "netlink-xdp", xdp_lowered },
	{ "netlink-xdp-seen", xdp_seen },
	{ "map-mmap", map_mmap },
	{ "map-mapped-before", mapped_before },
	{ "netlink-filter", netlink_filter },
	{ "seccomp-filter", seccomp },
	{},
};
