/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the attacks of the lab share. An attack does what an attacker would do, and says whether the
 * gain is real: a value that changed, a program that ran, a guard that refuses no more.
 */
#ifndef WARDEN_LAB_H
#define WARDEN_LAB_H

#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In which the watchdog sees what was done, and says so. */
#define WATCHDOG_SECONDS 3
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline void lab_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define _cleanup_fd_ __attribute__((cleanup(lab_close)))

/* What came of an attack; `error` is the errno of the step that failed. */
struct outcome {
	bool gained;
	int error;
	const char *how;       /* the last step that was tried */
};

struct attack {
	const char *name;
	struct outcome (*run)(void);
};

/* One table a family, ended by an empty row. */
extern const struct attack hidden_attacks[], control_attacks[], identity_attacks[];
extern const struct attack disguise_attacks[], guard_attacks[], removal_attacks[];
extern const struct attack blinding_attacks[], possess_attacks[];
extern const struct attack around_attacks[], theft_attacks[], namespace_attacks[];

static inline struct outcome gained(const char *how)
{
	return (struct outcome){ .gained = true, .how = how };
}

static inline struct outcome failed(const char *how)
{
	return (struct outcome){ .error = errno, .how = how };
}

/* The step worked and changed nothing. */
static inline struct outcome futile(const char *how)
{
	return (struct outcome){ .how = how };
}

static inline unsigned long address(const void *pointer)
{
	return (unsigned long)pointer;
}

/* bpf(2) */

#define ATTR(...) (&(union bpf_attr){ __VA_ARGS__ })

static inline int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static inline struct bpf_insn insn(int code, int dst, int src, int off, int imm)
{
	return (struct bpf_insn){ .code = code, .dst_reg = dst, .src_reg = src, .off = off,
				  .imm = imm };
}

#define MOV_IMM(dst, imm) insn(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm)
#define MOV_REG(dst, src) insn(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define ADD_IMM(dst, imm) insn(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm)
#define LOAD(size, dst, src, off) insn(BPF_LDX | BPF_MEM | (size), dst, src, off, 0)
#define STORE_IMM(size, dst, off, imm) insn(BPF_ST | BPF_MEM | (size), dst, 0, off, imm)
#define STORE_REG(size, dst, src, off) insn(BPF_STX | BPF_MEM | (size), dst, src, off, 0)
#define CALL(helper) insn(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define CALL_SUBPROGRAM(offset) insn(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, offset)
#define JUMP_EQ(dst, imm, off) insn(BPF_JMP | BPF_JEQ | BPF_K, dst, 0, off, imm)
#define JUMP_NE(dst, imm, off) insn(BPF_JMP | BPF_JNE | BPF_K, dst, 0, off, imm)
#define EXIT() insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
/* Two instructions each. */
#define LOAD_64(dst, kind, what, offset) \
	insn(BPF_LD | BPF_DW | BPF_IMM, dst, kind, 0, what), insn(0, 0, 0, 0, offset)

/* bpf.c: objects and programs. All return an fd, or -1 with errno. */

struct program {
	const char *name;      /* "lab" without one */
	unsigned int type;
	unsigned int attach_type;
	const struct bpf_insn *code;
	unsigned int count;
	const int *fds;	       /* the fd array */
	unsigned int attach_btf_id;
	int attach_fd;	       /* of the program that it attaches to */
	unsigned int flags;
	const void *signature; /* 7.2 */
	unsigned int signature_size;
	int keyring;
};

#define LOAD_ATTR_SIZE 168

/* What PROG_LOAD is given, in LOAD_ATTR_SIZE bytes; returns how many of them count. */
size_t put_load(const struct program *program, void *attributes);
int load(const struct program *program);
int load_code(unsigned int type, const struct bpf_insn *code, unsigned int count);
int make_map(unsigned int type, unsigned int key, unsigned int value, unsigned int entries,
	     unsigned int flags);
int map_put(int map, unsigned int key, const void *value);
int map_get(int map, unsigned int key, void *value);
int open_pin(const char *path);
int pin(int fd, const char *path);
/* By BPF_MAP_GET_FD_BY_ID and its like. */
int open_id(int command, unsigned int id);
/* The id of the first object with this name, found by walking over all ids; 0: none. */
unsigned int find_map(const char *name);
unsigned int find_program(const char *name);
/* The type of a function in the BTF of the kernel; 0: none. */
unsigned int btf_function(const char *name);

/* The forbidden program: it writes into user memory. */
#define MARK 0x1abULL
#define FORBIDDEN_INSNS 9

void put_forbidden(struct bpf_insn code[FORBIDDEN_INSNS]);
/* Runs a program of type RAW_TRACEPOINT on an address: whether the mark was written there. */
bool writes_mark(int program);
/* Loads and runs it: whether it ran. errno is that of the load. */
bool forbidden_runs(void);
/* A harmless program of a type that only the agent may load. */
bool forbidden_type_loads(void);
/* A program that only watches, which those whose trust is gone may not load. */
bool watcher_loads(void);

/* scene.c: what is around the attack. */

/* Where the guard has its pins, and the process that started it; none: empty and 0. */
const char *guard_pins(void);
int guard_pid(void);
/* Runs a program and waits: its exit status, or -1. */
int spawn(char *const argv[]);
/* Runs the function in a child and waits: what it returned, 0 to 255, or -1. */
int in_child(int (*run)(void *), void *argument);
int write_file(const char *path, const char *text);
int read_file(const char *path, char *text, size_t size);
int copy_file(const char *from, const char *to);
/* Another process of the same subject tries the forbidden load: whether the guard is gone. */
bool guard_is_gone(void);
/* Gets this subject lowered at once, by a reflex of the policy. */
void get_lowered(void);
/* Becomes another user, with the capabilities that it has. */
int become(uid_t uid);
/* Whether a process may make an internet socket in this cgroup; the agent forbids it. */
bool may_connect(const char *cgroup);

#endif /* WARDEN_LAB_H */
