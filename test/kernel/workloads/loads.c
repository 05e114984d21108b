/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads one program, made to order, and prints how that went.
 *
 *	--type N --attach-type N	numbers, as in linux/bpf.h
 *	--attach NAME			function of vmlinux to attach to (attach_btf_id)
 *	--helpers N,N,...		helpers that it calls
 *	--kfunc NAME[@MODULE]		kernel function that it calls; up to eight times
 *	--filler N			instructions before the calls
 *	--write-register OFFSET		write there in the context, before all else
 *	--map fd|fd_array|value		how it names a map; --map-as-root: made before --uid counts
 *	--via syscall|int80|program	who makes the call: a SYSCALL program with bpf_sys_bpf
 *	--uid N --auid N		who it is made by, with the capabilities of root
 *	--times N			so often
 *	--reopen			asks for an fd by id of what was loaded, when there is one
 *	--absent			its attributes come to memory when the kernel copies them
 *
 * Calls stand where no run gets to, so that the verifier takes any, and the scan sees them all.
 */
#include "workload.h"

#include "btf.h"

#include <getopt.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <stddef.h>
#include <sys/prctl.h>

#define PSEUDO_KFUNC_CALL 2
#define MAX_KFUNCS 8
#define MAX_HELPERS 64
#define BLOB_SIZE 16384
#define BLOB_INSNS 1024	       /* where in the blob the program stands */
#define BLOB_LICENSE 512

struct order {
	unsigned int type;
	unsigned int attach_type;
	const char *attach;
	int helpers[MAX_HELPERS];
	int helpers_count;
	struct {
		int id;
		int module;    /* 1: by the module's BTF, at place 1 of the fd array */
	} kfuncs[MAX_KFUNCS];
	int kfuncs_count;
	const char *module;
	unsigned int filler;
	int write_offset;      /* into the context; 0: none */
	const char *map;
	const char *via;
	bool map_as_root;
	bool reopen;
	bool absent;
	int uid;
	int auid;
	int times;
	long map_fd;
	int fds[2];	       /* the fd array: a map, the BTF of a module */
};

static struct bpf_insn insn(int code, int dst, int src, int off, int imm)
{
	return (struct bpf_insn){ .code = code, .dst_reg = dst, .src_reg = src, .off = off,
				  .imm = imm };
}

static int put_map(const struct order *order, struct bpf_insn *code)
{
	int how = BPF_PSEUDO_MAP_FD, what = (int)order->map_fd;

	if (!order->map)
		return 0;
	if (!strcmp(order->map, "fd_array")) {
		how = BPF_PSEUDO_MAP_IDX;
		what = 0;
	}
	if (!strcmp(order->map, "value"))
		how = BPF_PSEUDO_MAP_VALUE;
	code[0] = insn(BPF_LD | BPF_DW | BPF_IMM, 1, how, 0, what);
	code[1] = insn(0, 0, 0, 0, 0);
	return 2;
}

static int put_write(const struct order *order, struct bpf_insn *code)
{
	if (!order->write_offset)
		return 0;
	code[0] = insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
	code[1] = insn(BPF_STX | BPF_MEM | BPF_DW, 1, 0, order->write_offset, 0);
	return 2;
}

/* r0 = 0; the fillers; jump over the calls; the calls; r0 = 0; exit. */
static int put_program(const struct order *order, struct bpf_insn *code)
{
	int calls = order->helpers_count + order->kfuncs_count;
	int n = put_write(order, code);

	n += put_map(order, code + n);

	code[n++] = insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
	for (unsigned int i = 0; i < order->filler; i++)
		code[n++] = insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
	if (calls)
		code[n++] = insn(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, calls, 0);
	for (int i = 0; i < order->helpers_count; i++)
		code[n++] = insn(BPF_JMP | BPF_CALL, 0, 0, 0, order->helpers[i]);
	for (int i = 0; i < order->kfuncs_count; i++)
		code[n++] = insn(BPF_JMP | BPF_CALL, 0, PSEUDO_KFUNC_CALL,
				 order->kfuncs[i].module, order->kfuncs[i].id);
	code[n++] = insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
	code[n++] = insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return n;
}

static void put_attr(const struct order *order, union bpf_attr *attr, int count)
{
	attr->prog_type = order->type;
	attr->expected_attach_type = order->attach_type;
	attr->insn_cnt = count;
	if (order->attach)
		attr->attach_btf_id = btf_function(NULL, order->attach);
	strcpy(attr->prog_name, "wl_load");
	if (order->module || (order->map && !strcmp(order->map, "fd_array")))
		attr->fd_array = address(order->fds);
}

/*
 * As a light skeleton does: attributes, instructions and licence are in a map's value, and a
 * program hands their kernel addresses to bpf_sys_bpf. Returns what that returned.
 */
static long load_by_program(union bpf_attr *attr, const struct bpf_insn *code, int count)
{
	static char blob[BLOB_SIZE];
	long map = ACT(BPF_MAP_CREATE, ATTR(.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
					    .value_size = BLOB_SIZE, .max_entries = 1,
					    .map_name = "wl_blob"), .note = "blob");
	struct bpf_insn loader[] = {
		insn(BPF_LD | BPF_DW | BPF_IMM, 2, BPF_PSEUDO_MAP_VALUE, 0, (int)map),
		insn(0, 0, 0, 0, 0),
		insn(BPF_ALU64 | BPF_MOV | BPF_X, 1, 2, 0, 0),
		insn(BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, BLOB_INSNS),
		insn(BPF_STX | BPF_MEM | BPF_DW, 2, 1, offsetof(union bpf_attr, insns), 0),
		insn(BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, BLOB_LICENSE - BLOB_INSNS),
		insn(BPF_STX | BPF_MEM | BPF_DW, 2, 1, offsetof(union bpf_attr, license), 0),
		insn(BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, BPF_PROG_LOAD),
		insn(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, sizeof(*attr)),
		insn(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_sys_bpf),
		insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr load = { .prog_type = BPF_PROG_TYPE_SYSCALL, .insns = address(loader),
				.insn_cnt = COUNT(loader), .license = address("GPL"),
				.prog_flags = BPF_F_SLEEPABLE, .prog_name = "wl_loader" };
	union bpf_attr run = {};
	unsigned int zero = 0;

	if (BLOB_INSNS + count * sizeof(*code) > sizeof(blob))
		return -E2BIG;
	memcpy(blob, attr, sizeof(*attr));
	strcpy(blob + BLOB_LICENSE, "GPL");
	memcpy(blob + BLOB_INSNS, code, count * sizeof(*code));
	ACT(BPF_MAP_UPDATE_ELEM, ATTR(.map_fd = map, .key = address(&zero), .value = address(blob)),
	    .on = map, .note = "blob");
	run.test.prog_fd = ACT(BPF_PROG_LOAD, &load, .expect = ANY_RESULT, .note = "loader");
	if ((int)run.test.prog_fd < 0)
		return -errno;
	if (ACT(BPF_PROG_TEST_RUN, &run, .on = run.test.prog_fd, .note = "loader") < 0)
		return -errno;
	return (int)run.test.retval;
}

static void print_nested(long result)
{
	struct act nested = { .command = BPF_PROG_LOAD, .name = "wl_load", .note = "nested" };

	print_act(&nested, result, result < 0 ? (int)-result : 0);
}

static void reopen(long fd)
{
	unsigned int id = fd_info(fd, "prog_id");

	if (id)
		ACT(BPF_PROG_GET_FD_BY_ID, ATTR(.prog_id = id), .expect = ANY_RESULT,
		    .note = "reopened");
}

static int load(const struct order *order)
{
	unsigned int room = order->filler + order->helpers_count + order->kfuncs_count + 10;
	struct bpf_insn *code = mmap(NULL, room * sizeof(*code), PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	union bpf_attr *attr = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	char *license = (char *)attr + 2048;
	bool compat = !strcmp(order->via, "int80");
	long result;
	int count;

	if (code == MAP_FAILED || attr == MAP_FAILED)
		return 71;
	count = put_program(order, code);
	put_attr(order, attr, count);
	if (!strcmp(order->via, "program")) {
		print_nested(load_by_program(attr, code, count));
		return 0;
	}
	strcpy(license, "GPL");
	attr->insns = address(code);
	attr->license = address(license);
	if (order->absent && madvise(attr, 4096, MADV_DONTNEED))
		return 71;
	result = ACT(BPF_PROG_LOAD, attr, .expect = ANY_RESULT, .name = "wl_load",
		     .compat = compat);
	if (result >= 0 && order->reopen)
		reopen(result);
	if (result >= 0)
		close(result);
	munmap(code, room * sizeof(*code));
	munmap(attr, 4096);
	return 0;
}

/* The fd of the BTF object that has this name; walks by id, as libbpf does. */
static int open_module_btf(const char *module)
{
	union bpf_attr next = {};

	while (!syscall(SYS_bpf, BPF_BTF_GET_NEXT_ID, &next, sizeof(next))) {
		char name[64] = "";
		struct bpf_btf_info info = { .name = address(name), .name_len = sizeof(name) };
		union bpf_attr get = { .btf_id = next.next_id }, ask = {};
		int fd = syscall(SYS_bpf, BPF_BTF_GET_FD_BY_ID, &get, sizeof(get));

		ask.info.bpf_fd = fd;
		ask.info.info_len = sizeof(info);
		ask.info.info = address(&info);
		if (fd >= 0 && !syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &ask, sizeof(ask)) &&
		    !strcmp(name, module))
			return fd;
		close(fd);
		next.start_id = next.next_id;
	}
	return -1;
}

static int add_kfunc(struct order *order, char *text)
{
	char *module = strchr(text, '@');
	int at = order->kfuncs_count++;

	if (at >= MAX_KFUNCS)
		return -1;
	if (module)
		*module++ = '\0';
	order->kfuncs[at].id = btf_function(module, text);
	order->kfuncs[at].module = !!module;
	if (module) {
		order->module = module;
		order->fds[1] = open_module_btf(module);
	}
	return order->kfuncs[at].id < 0 ? -1 : 0;
}

static int add_helpers(struct order *order, char *text)
{
	for (char *one = strtok(text, ","); one; one = strtok(NULL, ",")) {
		if (order->helpers_count == MAX_HELPERS)
			return -1;
		order->helpers[order->helpers_count++] = atoi(one);
	}
	return 0;
}

static int write_auid(int auid)
{
	FILE *file = fopen("/proc/self/loginuid", "we");

	if (!file)
		return -1;
	fprintf(file, "%d", auid);
	return fclose(file);
}

/* Becomes `uid` and keeps every capability. */
static int become(int uid)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { .effective = ~0U, .permitted = ~0U },
						  { .effective = ~0U, .permitted = ~0U } };

	if (syscall(SYS_capget, &header, data) || prctl(PR_SET_KEEPCAPS, 1) || setuid(uid))
		return -1;
	data[0].effective = data[0].permitted;
	data[1].effective = data[1].permitted;
	return syscall(SYS_capset, &header, data);
}

static void make_map(struct order *order)
{
	order->map_fd = ACT(BPF_MAP_CREATE,
			    ATTR(.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4,
				 .max_entries = 1, .map_name = "wl_map"),
			    .expect = ANY_RESULT, .name = "wl_map");
	order->fds[0] = (int)order->map_fd;
}

static int parse(int argc, char **argv, struct order *order)
{
	static const struct option options[] = {
		{ "type", 1, NULL, 't' },    { "attach-type", 1, NULL, 'a' },
		{ "attach", 1, NULL, 'A' },  { "helpers", 1, NULL, 'h' },
		{ "kfunc", 1, NULL, 'k' },   { "filler", 1, NULL, 'f' },
		{ "write-register", 1, NULL, 'w' },
		{ "map", 1, NULL, 'm' },     { "map-as-root", 0, NULL, 'M' },
		{ "via", 1, NULL, 'v' },     { "uid", 1, NULL, 'u' },
		{ "auid", 1, NULL, 'l' },    { "times", 1, NULL, 'n' },
		{ "reopen", 0, NULL, 'r' },  { "absent", 0, NULL, 'x' },
		{ NULL, 0, NULL, 0 },
	};
	int option, err = 0;

	while (!err && (option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 't': order->type = strtoul(optarg, NULL, 0); break;
		case 'a': order->attach_type = strtoul(optarg, NULL, 0); break;
		case 'A': order->attach = optarg; break;
		case 'h': err = add_helpers(order, optarg); break;
		case 'k': err = add_kfunc(order, optarg); break;
		case 'f': order->filler = strtoul(optarg, NULL, 0); break;
		case 'w': order->write_offset = atoi(optarg); break;
		case 'm': order->map = optarg; break;
		case 'M': order->map_as_root = true; break;
		case 'v': order->via = optarg; break;
		case 'u': order->uid = atoi(optarg); break;
		case 'l': order->auid = atoi(optarg); break;
		case 'n': order->times = atoi(optarg); break;
		case 'r': order->reopen = true; break;
		case 'x': order->absent = true; break;
		default: err = -1;
		}
	return err;
}

int main(int argc, char **argv)
{
	struct order order = { .type = BPF_PROG_TYPE_SOCKET_FILTER, .via = "syscall", .uid = -1,
			       .auid = -1, .times = 1, .map_fd = -1 };
	int code = 0;

	if (parse(argc, argv, &order)) {
		fprintf(stderr, "loads: bad option, or no such function\n");
		return 64;
	}
	if (order.map && order.map_as_root)
		make_map(&order);
	if ((order.auid >= 0 && write_auid(order.auid)) || (order.uid >= 0 && become(order.uid))) {
		perror("loads: become");
		return 71;
	}
	if (order.map && !order.map_as_root)
		make_map(&order);
	for (int i = 0; !code && i < order.times; i++)
		code = load(&order);
	return code ? code : unexpected != 0;
}
