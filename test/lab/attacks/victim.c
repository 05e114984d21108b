// SPDX-License-Identifier: Apache-2.0
/*
 * The agent: a loader that the policy knows by its content. It keeps processes of a cgroup off the
 * internet, as its configuration says.
 *
 *	agent provision		makes maps, programs, link and pins anew, and ends
 *	agent serve		holds its maps, gives config to whoever asks at its socket
 *	starter start		the same program as a service manager: at each connection to its
 *				socket it runs a service as a user of its own, and says how it ended
 *	agent act		does what only the agent may: see acts_as_agent
 */
#include "agent.h"

#include <fcntl.h>
#include <linux/btf.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* What `serve` does at a reload; marked, so that whoever writes its memory finds it. */
static struct agent_task task = { .mark = AGENT_MARK, .which = -1 };

/* BTF of key and value, an int each: then a pinned map can be read as a file. */
static int load_types(void)
{
	struct {
		struct btf_header header;
		struct btf_type type;
		uint32_t bits;
		char strings[8];
	} btf = {
		.header = { .magic = BTF_MAGIC, .version = BTF_VERSION,
			    .hdr_len = sizeof(struct btf_header),
			    .type_len = sizeof(struct btf_type) + sizeof(uint32_t),
			    .str_off = sizeof(struct btf_type) + sizeof(uint32_t),
			    .str_len = 8 },
		.type = { .name_off = 1, .info = BTF_KIND_INT << 24, .size = 8 },
		.bits = 64,
		.strings = "\0number",
	};

	return bpf(BPF_BTF_LOAD, ATTR(.btf = address(&btf), .btf_size = sizeof(btf)));
}

static int make_secret(void)
{
	_cleanup_fd_ int types = load_types();
	uint64_t key = 1, secret = SECRET;
	int map = bpf(BPF_MAP_CREATE,
		      ATTR(.map_type = BPF_MAP_TYPE_HASH, .key_size = 8, .value_size = 8,
			   .max_entries = 4, .btf_fd = types, .btf_key_type_id = 1,
			   .btf_value_type_id = 1, .map_name = "lab_secret"));

	if (map >= 0)
		bpf(BPF_MAP_UPDATE_ELEM,
		    ATTR(.map_fd = map, .key = address(&key), .value = address(&secret)));
	return map;
}

static int make_config(void)
{
	uint64_t value = (uint64_t)CONFIG_TAG << 32;
	int map = bpf(BPF_MAP_CREATE,
		   ATTR(.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8,
			.max_entries = 1, .map_flags = BPF_F_MMAPABLE, .map_name = "lab_config"));

	if (map >= 0)
		map_put(map, 0, &value);
	return map;
}

static int load_sock(enum signed_program which, const int *fds)
{
	return load_signed(which, BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE, fds);
}

static int attach(int program)
{
	_cleanup_fd_ int jail = open(JAIL, O_RDONLY | O_CLOEXEC);
	_cleanup_fd_ int old_jail = open(OLD_JAIL, O_RDONLY | O_CLOEXEC);
	int link = bpf(BPF_LINK_CREATE,
		       ATTR(.link_create = { .prog_fd = program, .target_fd = jail,
					     .attach_type = BPF_CGROUP_INET_SOCK_CREATE }));

	if (link < 0 || bpf(BPF_PROG_ATTACH, ATTR(.target_fd = old_jail, .attach_bpf_fd = program,
						  .attach_type = BPF_CGROUP_INET_SOCK_CREATE)))
		return -1;
	return link;
}

/* What a run before left: attachments by PROG_ATTACH have no pin that would keep them. */
static void clear(void)
{
	static const char *const pins[] = { PIN_CONFIG, PIN_SECRET, PIN_JUMP,
					    PIN_BLOCK,	PIN_LEARN,  PIN_LINK };
	static const char *const cgroups[] = { JAIL, OLD_JAIL, SERVICE };

	for (size_t i = 0; i < COUNT(pins); i++)
		unlink(pins[i]);
	for (size_t i = 0; i < COUNT(cgroups); i++) {
		_cleanup_fd_ int cgroup = -1;

		mkdir(cgroups[i], 0755);
		cgroup = open(cgroups[i], O_RDONLY | O_CLOEXEC);
		bpf(BPF_PROG_DETACH, ATTR(.target_fd = cgroup,
					  .attach_type = BPF_CGROUP_INET_SOCK_CREATE));
	}
}

/* With trust of its own, without a login: it is started as daemons are. */
static int provision(void)
{
	_cleanup_fd_ int config = -1, secret = -1, jump = -1, deny = -1, learn = -1, block = -1;
	_cleanup_fd_ int link = -1;

	clear();
	mkdir(AGENT_PINS, 0700);
	config = make_config();
	secret = make_secret();
	jump = bpf(BPF_MAP_CREATE, ATTR(.map_type = BPF_MAP_TYPE_PROG_ARRAY, .key_size = 4,
					.value_size = 4, .max_entries = 1, .map_name = "lab_jump"));
	deny = load_sock(PROGRAM_DENY, NULL);
	learn = load_sock(PROGRAM_LEARN, NULL);
	block = load_sock(PROGRAM_BLOCK, (int[]){ config, jump });
	if (map_put(jump, 0, &deny) || (link = attach(block)) < 0)
		return -1;
	return pin(config, PIN_CONFIG) || pin(secret, PIN_SECRET) || pin(jump, PIN_JUMP) ||
	       pin(block, PIN_BLOCK) || pin(learn, PIN_LEARN) || pin(link, PIN_LINK);
}

static int give(int client, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	return sendmsg(client, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

/* A byte from a client: `c` asks for config, `r` for a reload; the answer is one. */
static void answer(int client, int config)
{
	char what = 0, result;

	if (read(client, &what, 1) != 1)
		return;
	if (what == 'c') {
		give(client, config);
		return;
	}
	result = task.which < 0 || forbid_sockets(task.which, task.cgroup);
	if (write(client, &result, 1) != 1)
		return;
}

/* An attacker would find it by the symbols of the file. */
static int tell_place(void)
{
	_cleanup_fd_ int fd = open(AGENT_TASK_AT, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	return fd >= 0 && dprintf(fd, "%d %lu", getpid(), address(&task)) > 0 ? 0 : -1;
}

static int listen_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(at.sun_path, path, sizeof(at.sun_path) - 1);
	mkdir("/run/lab", 0755);
	unlink(path);
	if (bind(fd, (void *)&at, sizeof(at)) || listen(fd, 8)) {
		lab_close(&fd);
		return -1;
	}
	return fd;
}

static int serve(void)
{
	_cleanup_fd_ int config = open_pin(PIN_CONFIG);
	_cleanup_fd_ int socket_fd = listen_at(AGENT_SOCKET);

	if (tell_place() || config < 0 || socket_fd < 0)
		return -1;
	for (;;) {
		_cleanup_fd_ int client = accept(socket_fd, NULL, NULL);

		if (client >= 0)
			answer(client, config);
	}
}

#define SERVICE_UID 20004

static int serve_once(void *unused)
{
	char *const argv[] = { "/usr/local/bin/attack", "watch", NULL };

	(void)unused;
	return become(SERVICE_UID) ? 71 : spawn(argv);
}

static int start(void)
{
	_cleanup_fd_ int socket_fd = listen_at(STARTER_SOCKET);

	while (socket_fd >= 0) {
		_cleanup_fd_ int client = accept(socket_fd, NULL, NULL);
		char status = client < 0 ? 1 : (char)in_child(serve_once, NULL);

		if (client >= 0 && write(client, &status, 1) != 1)
			continue;
	}
	return -1;
}

int main(int argc, char **argv)
{
	int result = 64;

	if (argc == 2 && !strcmp(argv[1], "provision"))
		result = provision();
	else if (argc == 2 && !strcmp(argv[1], "serve"))
		result = serve();
	else if (argc == 2 && !strcmp(argv[1], "act"))
		result = !acts_as_agent();
	else if (argc == 2 && !strcmp(argv[1], "start"))
		result = start();
	if (result)
		fprintf(stderr, "agent: %s: %m\n", argc > 1 ? argv[1] : "no command");
	return result < 0 ? 71 : result;
}
