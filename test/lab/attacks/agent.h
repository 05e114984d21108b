/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent, the victim of the lab, loads and where it is. Its programs are the same bytes at
 * each load (maps by their place in the fd array), so that they can be signed.
 */
#ifndef WARDEN_LAB_AGENT_H
#define WARDEN_LAB_AGENT_H

#include "lab.h"

#define AGENT "/usr/local/bin/agent"
#define AGENT_SOCKET "/run/lab/agent.sock"
/* A service manager: the policy lists it as a runtime. It starts a service for whoever connects. */
#define STARTER "/usr/local/bin/starter"
#define STARTER_SOCKET "/run/lab/starter.sock"
#define AGENT_PINS "/sys/fs/bpf/agent"
#define PIN_CONFIG AGENT_PINS "/config"
#define PIN_SECRET AGENT_PINS "/secret"
#define PIN_JUMP AGENT_PINS "/jump"
#define PIN_BLOCK AGENT_PINS "/block"
#define PIN_LEARN AGENT_PINS "/learn"
#define PIN_LINK AGENT_PINS "/link"

/* Cgroups: blocked by a link, by PROG_ATTACH, and one that the agent has no business in. */
#define JAIL "/sys/fs/cgroup/lab-jail"
#define OLD_JAIL "/sys/fs/cgroup/lab-old-jail"
#define SERVICE "/sys/fs/cgroup/lab-service"

#define SECRET 0x5ec2e7c0deULL
/* The upper half of what is in config, for those who look for it; the lower one is the switch. */
#define CONFIG_TAG 0x5ec2e7cU

/* Signatures and the number of the keyring, made at boot where the kernel checks them. */
#define SIGNATURES "/run/lab/signatures"

enum signed_program {
	PROGRAM_BLOCK,	       /* forbids sockets, unless config says otherwise */
	PROGRAM_DENY,	       /* its tail */
	PROGRAM_LEARN,	       /* forbids nothing: for a first look */
	PROGRAM_OLD,	       /* the release before: forbids whatever config says */
	PROGRAMS,
};

#define MAX_INSNS 16
#define MAX_SIGNATURE 2048

#define AGENT_MARK "lab-agent-task."

/* What the agent does when it is told to reload: forbid sockets in a cgroup; which < 0: nothing. */
struct agent_task {
	char mark[16];
	int which;	       /* enum signed_program */
	char cgroup[64];
};

/* Where that lies in the agent's memory: as text, a number. */
#define AGENT_TASK_AT "/run/lab/agent.task"

extern const char *const program_names[PROGRAMS];
unsigned int put_agent_program(enum signed_program which, struct bpf_insn code[MAX_INSNS]);
/* Loads one of them with its signature, if there is one; `fds`: config and jump, or NULL. */
int load_signed(enum signed_program which, unsigned int type, unsigned int attach_type,
		const int *fds);
/* The attributes of such a load as a socket rule, for whoever makes the call by other means. */
size_t put_signed_load(enum signed_program which, struct bpf_insn code[MAX_INSNS],
		       char signature[MAX_SIGNATURE], void *attributes);
/* Loads one of them and attaches it to a cgroup with PROG_ATTACH. */
int forbid_sockets(enum signed_program which, const char *cgroup);
/* Takes the internet from the service, which the policy allows to the agent and not to others. */
bool acts_as_agent(void);

#endif /* WARDEN_LAB_AGENT_H */
