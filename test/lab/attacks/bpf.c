// SPDX-License-Identifier: Apache-2.0
/* bpf(2) by hand: objects, walks over ids, and the forbidden program. */
#include "lab.h"

#include <fcntl.h>
#include <linux/btf.h>
#include <sys/stat.h>

/* The end of what PROG_LOAD takes from 6.18 on, which older headers lack. */
struct signature_fields {
	uint64_t signature;
	uint32_t signature_size;
	int32_t keyring;
};

#define SIGNATURE_OFFSET 152

_Static_assert(sizeof(union bpf_attr) <= LOAD_ATTR_SIZE, "attributes of a load");

union load_attr {
	union bpf_attr attr;
	struct {
		char before[SIGNATURE_OFFSET];
		struct signature_fields fields;
	} with;
};

size_t put_load(const struct program *program, void *attributes)
{
	union load_attr *wide = attributes;
	union bpf_attr *attr = &wide->attr;

	memset(wide, 0, sizeof(*wide));
	attr->prog_type = program->type;
	attr->expected_attach_type = program->attach_type;
	attr->insns = address(program->code);
	attr->insn_cnt = program->count;
	attr->license = address("GPL");
	attr->prog_flags = program->flags;
	attr->attach_btf_id = program->attach_btf_id;
	attr->attach_prog_fd = program->attach_fd;
	attr->fd_array = address(program->fds);
	strncpy(attr->prog_name, program->name ? program->name : "lab", BPF_OBJ_NAME_LEN - 1);
	if (!program->signature)
		return sizeof(*attr) < SIGNATURE_OFFSET ? sizeof(*attr) : SIGNATURE_OFFSET;
	wide->with.fields.signature = address(program->signature);
	wide->with.fields.signature_size = program->signature_size;
	wide->with.fields.keyring = program->keyring;
	return sizeof(wide->with);
}

int load(const struct program *program)
{
	union load_attr attributes;
	size_t size = put_load(program, &attributes);

	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, size);
}

int load_code(unsigned int type, const struct bpf_insn *code, unsigned int count)
{
	return load(&(struct program){ .type = type, .code = code, .count = count });
}

int make_map(unsigned int type, unsigned int key, unsigned int value, unsigned int entries,
	     unsigned int flags)
{
	return bpf(BPF_MAP_CREATE, ATTR(.map_type = type, .key_size = key, .value_size = value,
					.max_entries = entries, .map_flags = flags,
					.map_name = "lab"));
}

int map_put(int map, unsigned int key, const void *value)
{
	return bpf(BPF_MAP_UPDATE_ELEM,
		   ATTR(.map_fd = map, .key = address(&key), .value = address(value)));
}

int map_get(int map, unsigned int key, void *value)
{
	return bpf(BPF_MAP_LOOKUP_ELEM,
		   ATTR(.map_fd = map, .key = address(&key), .value = address(value)));
}

int open_pin(const char *path)
{
	return bpf(BPF_OBJ_GET, ATTR(.pathname = address(path)));
}

int pin(int fd, const char *path)
{
	return bpf(BPF_OBJ_PIN, ATTR(.bpf_fd = fd, .pathname = address(path)));
}

int open_id(int command, unsigned int id)
{
	return bpf(command, ATTR(.map_id = id));
}

static bool map_has_name(int fd, const char *name)
{
	struct bpf_map_info info = {};

	return !bpf(BPF_OBJ_GET_INFO_BY_FD, ATTR(.info.bpf_fd = fd, .info.info_len = sizeof(info),
						 .info.info = address(&info))) &&
	       !strcmp(info.name, name);
}

static bool program_has_name(int fd, const char *name)
{
	struct bpf_prog_info info = {};

	return !bpf(BPF_OBJ_GET_INFO_BY_FD, ATTR(.info.bpf_fd = fd, .info.info_len = sizeof(info),
						 .info.info = address(&info))) &&
	       !strcmp(info.name, name);
}

static unsigned int find(int next, int open, bool (*matches)(int, const char *), const char *name)
{
	union bpf_attr attr = {};

	while (!bpf(next, &attr)) {
		_cleanup_fd_ int fd = open_id(open, attr.next_id);

		if (fd >= 0 && matches(fd, name))
			return attr.next_id;
		attr.start_id = attr.next_id;
	}
	return 0;
}

unsigned int find_map(const char *name)
{
	return find(BPF_MAP_GET_NEXT_ID, BPF_MAP_GET_FD_BY_ID, map_has_name, name);
}

unsigned int find_program(const char *name)
{
	return find(BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID, program_has_name, name);
}

/* What follows a type in the BTF, by its kind. */
static size_t tail_size(const struct btf_type *type)
{
	unsigned int members = BTF_INFO_VLEN(type->info);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return members * sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return members * sizeof(struct btf_enum);
	case BTF_KIND_ENUM64:
		return members * sizeof(struct btf_enum64);
	case BTF_KIND_FUNC_PROTO:
		return members * sizeof(struct btf_param);
	case BTF_KIND_DATASEC:
		return members * sizeof(struct btf_var_secinfo);
	default:
		return 0;
	}
}

static unsigned int search(const char *data, const char *name)
{
	const struct btf_header *header = (const void *)data;
	const char *at = data + header->hdr_len + header->type_off;
	const char *end = at + header->type_len;
	const char *strings = data + header->hdr_len + header->str_off;

	for (unsigned int id = 1; at < end; id++) {
		const struct btf_type *type = (const void *)at;

		if (BTF_INFO_KIND(type->info) == BTF_KIND_FUNC &&
		    !strcmp(strings + type->name_off, name))
			return id;
		at += sizeof(*type) + tail_size(type);
	}
	return 0;
}

unsigned int btf_function(const char *name)
{
	_cleanup_fd_ int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	struct stat stat;
	unsigned int id = 0;
	char *data;
	size_t at = 0;
	ssize_t n;

	if (fd < 0 || fstat(fd, &stat))
		return 0;
	data = malloc(stat.st_size);
	while (data && (n = read(fd, data + at, stat.st_size - at)) > 0)
		at += n;
	if (data && at == (size_t)stat.st_size)
		id = search(data, name);
	free(data);
	return id;
}

/* r1: the first argument of the run, an address; the mark goes there from the stack. */
void put_forbidden(struct bpf_insn code[FORBIDDEN_INSNS])
{
	const struct bpf_insn insns[FORBIDDEN_INSNS] = {
		LOAD(BPF_DW, 1, 1, 0),
		STORE_IMM(BPF_DW, 10, -8, MARK),
		MOV_REG(2, 10),
		ADD_IMM(2, -8),
		MOV_IMM(3, 8),
		CALL(BPF_FUNC_probe_write_user),
		MOV_IMM(0, 0),
		EXIT(),
		EXIT(),
	};

	memcpy(code, insns, sizeof(insns));
}

bool writes_mark(int program)
{
	volatile uint64_t target = 0;
	uint64_t arguments[2] = { address((const void *)&target) };

	bpf(BPF_PROG_TEST_RUN, ATTR(.test = { .prog_fd = program, .ctx_in = address(arguments),
					      .ctx_size_in = sizeof(arguments) }));
	return target == MARK;
}

bool forbidden_runs(void)
{
	struct bpf_insn code[FORBIDDEN_INSNS];
	_cleanup_fd_ int fd = -1;

	put_forbidden(code);
	fd = load_code(BPF_PROG_TYPE_RAW_TRACEPOINT, code, FORBIDDEN_INSNS - 1);
	return fd >= 0 && writes_mark(fd);
}

bool forbidden_type_loads(void)
{
	const struct bpf_insn code[] = { MOV_IMM(0, 1), EXIT() };
	_cleanup_fd_ int fd = load(&(struct program){ .type = BPF_PROG_TYPE_CGROUP_SOCK,
						      .attach_type = BPF_CGROUP_INET_SOCK_CREATE,
						      .code = code, .count = COUNT(code) });

	return fd >= 0;
}

bool watcher_loads(void)
{
	const struct bpf_insn code[] = { MOV_IMM(0, 0), EXIT() };
	_cleanup_fd_ int fd = load_code(BPF_PROG_TYPE_KPROBE, code, COUNT(code));

	return fd >= 0;
}
