// SPDX-License-Identifier: Apache-2.0
/*
 * lab-signing OBJECT DIRECTORY KEYRING
 *
 * Attaches the guard that only asks for signatures, pins it, and tells it which keyring counts.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct bpf_object *object = argc == 4 ? bpf_object__open_file(argv[1], NULL) : NULL;
	struct bpf_program *program;
	struct bpf_link *link;
	char pin[256];
	int serial, map, key = 0;

	if (!object || bpf_object__load(object))
		return 70;
	program = bpf_object__next_program(object, NULL);
	link = bpf_program__attach(program);
	snprintf(pin, sizeof(pin), "%s/link", argv[2]);
	if (!link || bpf_link__pin(link, pin) || bpf_object__pin_maps(object, argv[2]))
		return 70;
	serial = atoi(argv[3]);
	map = bpf_object__find_map_fd_by_name(object, "keyring");
	return bpf_map_update_elem(map, &key, &serial, BPF_ANY) ? 70 : 0;
}
