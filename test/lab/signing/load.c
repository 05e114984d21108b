// SPDX-License-Identifier: Apache-2.0
/*
 * lab-load TYPE ATTACH_TYPE [KEYRING SIGNATURE]
 *
 * Loads the program that `sign` signs as `lab_learn`, with this signature, and prints what came of
 * it, as one line of JSON. Whoever tampers changes a number and nothing else.
 */
#include "../attacks/agent.h"

#include <fcntl.h>

int main(int argc, char **argv)
{
	struct bpf_insn code[MAX_INSNS];
	char signature[MAX_SIGNATURE];
	struct program program = { .name = "lab_learn", .code = code };
	ssize_t size = 0;
	int fd, result;

	if (argc != 3 && argc != 5)
		return 64;
	program.count = put_agent_program(PROGRAM_LEARN, code);
	program.type = atoi(argv[1]);
	program.attach_type = atoi(argv[2]);
	if (argc == 5) {
		program.keyring = atoi(argv[3]);
		fd = open(argv[4], O_RDONLY | O_CLOEXEC);
		size = fd < 0 ? -1 : read(fd, signature, sizeof(signature));
		if (size <= 0)
			return 66;
		program.signature = signature;
		program.signature_size = size;
	}
	result = load(&program);
	printf("{\"command\":\"PROG_LOAD\",\"errno\":%s%s%s}\n", result < 0 ? "\"" : "",
	       result < 0 ? strerrorname_np(errno) : "null", result < 0 ? "\"" : "");
	return 0;
}
