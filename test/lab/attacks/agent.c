// SPDX-License-Identifier: Apache-2.0
/* The agent's programs, and how they are loaded with their signatures. */
#include "agent.h"

#include <fcntl.h>

#define CONFIG_INDEX 0
#define JUMP_INDEX 1

const char *const program_names[PROGRAMS] = { "lab_block", "lab_deny", "lab_learn",
						"lab_old" };

/* r0 = config[0] ? 1 : whatever the tail says; 1 without a tail. */
static unsigned int put_block(struct bpf_insn *code)
{
	const struct bpf_insn insns[] = {
		MOV_REG(6, 1),
		LOAD_64(1, BPF_PSEUDO_MAP_IDX_VALUE, CONFIG_INDEX, 0),
		LOAD(BPF_W, 0, 1, 0),
		JUMP_NE(0, 0, 5),
		MOV_REG(1, 6),
		LOAD_64(2, BPF_PSEUDO_MAP_IDX, JUMP_INDEX, 0),
		MOV_IMM(3, 0),
		CALL(BPF_FUNC_tail_call),
		MOV_IMM(0, 1),
		EXIT(),
	};

	memcpy(code, insns, sizeof(insns));
	return COUNT(insns);
}

static unsigned int put_constant(struct bpf_insn *code, int release, int result)
{
	const struct bpf_insn insns[] = { MOV_IMM(1, release), MOV_IMM(0, result), EXIT() };

	memcpy(code, insns, sizeof(insns));
	return COUNT(insns);
}

unsigned int put_agent_program(enum signed_program which, struct bpf_insn code[MAX_INSNS])
{
	switch (which) {
	case PROGRAM_BLOCK:
		return put_block(code);
	case PROGRAM_DENY:
		return put_constant(code, 2, 0);
	case PROGRAM_LEARN:
		return put_constant(code, 2, 1);
	default:
		return put_constant(code, 1, 0);
	}
}

static ssize_t read_signature(enum signed_program which, char *text, int *keyring)
{
	char path[128], number[32];
	_cleanup_fd_ int fd = -1;

	if (read_file(SIGNATURES "/keyring", number, sizeof(number)))
		return 0;
	*keyring = atoi(number);
	snprintf(path, sizeof(path), SIGNATURES "/%s", program_names[which]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? 0 : read(fd, text, MAX_SIGNATURE);
}

int load_signed(enum signed_program which, unsigned int type, unsigned int attach_type,
		const int *fds)
{
	struct bpf_insn code[MAX_INSNS];
	char signature[MAX_SIGNATURE];
	struct program program = { .name = program_names[which], .type = type,
				   .attach_type = attach_type, .code = code,
				   .fds = fds };
	ssize_t n = read_signature(which, signature, &program.keyring);

	program.count = put_agent_program(which, code);
	program.signature = n > 0 ? signature : NULL;
	program.signature_size = n > 0 ? n : 0;
	return load(&program);
}

int forbid_sockets(enum signed_program which, const char *cgroup)
{
	_cleanup_fd_ int target = open(cgroup, O_RDONLY | O_CLOEXEC);
	_cleanup_fd_ int fd = load_signed(which, BPF_PROG_TYPE_CGROUP_SOCK,
					  BPF_CGROUP_INET_SOCK_CREATE, NULL);

	if (fd < 0 || target < 0)
		return -1;
	return bpf(BPF_PROG_ATTACH, ATTR(.target_fd = target, .attach_bpf_fd = fd,
					 .attach_type = BPF_CGROUP_INET_SOCK_CREATE));
}

bool acts_as_agent(void)
{
	return !forbid_sockets(PROGRAM_OLD, SERVICE) && !may_connect(SERVICE);
}

size_t put_signed_load(enum signed_program which, struct bpf_insn code[MAX_INSNS],
		       char signature[MAX_SIGNATURE], void *attributes)
{
	struct program program = { .type = BPF_PROG_TYPE_CGROUP_SOCK,
				   .attach_type = BPF_CGROUP_INET_SOCK_CREATE, .code = code };
	ssize_t n = read_signature(which, signature, &program.keyring);

	program.count = put_agent_program(which, code);
	program.signature = n > 0 ? signature : NULL;
	program.signature_size = n > 0 ? n : 0;
	return put_load(&program, attributes);
}
