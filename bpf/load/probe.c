/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this kernel gives, hook by hook, and the mode that follows. `available` is what the kernel
 * could do; `mode` is what this build does with it: it has no guard yet, so it never says more than
 * audit.
 */
#include "probe.h"

#include "attempt.h"
#include "cleanup.h"
#include "json.h"
#include "say.h"

#include <bpf/libbpf.h>
#include <string.h>
#include <sys/utsname.h>

#define BTF_PATH "/sys/kernel/btf/vmlinux"

enum hook {
	HOOK_LSM,
	HOOK_FMOD_RET,
	HOOK_FEXIT,
	HOOK_TP_BTF,
	HOOK_ITER_PROG,
	HOOK_ITER_TASK,
	HOOK_RING,
	HOOK_TASK_STORAGE,
	HOOK_KPROBE,
	HOOK_IA32,
	HOOKS,
};

static const char *const NAMES[HOOKS] = {
	[HOOK_LSM] = "lsm/bpf",
	[HOOK_FMOD_RET] = "fmod_ret/security_bpf",
	[HOOK_FEXIT] = "fexit/__sys_bpf",
	[HOOK_TP_BTF] = "tp_btf/sys_enter",
	[HOOK_ITER_PROG] = "iter/bpf_prog",
	[HOOK_ITER_TASK] = "iter/task",
	[HOOK_RING] = "ring_buffer",
	[HOOK_TASK_STORAGE] = "task_storage",
	[HOOK_KPROBE] = "kprobes",
	[HOOK_IA32] = "ia32_emulation",
};

struct findings {
	struct utsname kernel;
	char lsm_list[256];
	bool btf;
	const char *available;
	const char *mode;
	struct wd_attempt hooks[HOOKS];
};

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level, (void)format, (void)arguments;
	return 0;
}

static void try_all(struct wd_attempt *hooks)
{
	for (int i = 0; i < HOOKS; i++)
		hooks[i].name = NAMES[i];
	wd_try_tracing(&hooks[HOOK_LSM], BPF_PROG_TYPE_LSM, BPF_LSM_MAC, "bpf");
	wd_try_tracing(&hooks[HOOK_FMOD_RET], BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN,
		       "security_bpf");
	wd_try_tracing(&hooks[HOOK_FEXIT], BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, "__sys_bpf");
	wd_try_tracing(&hooks[HOOK_TP_BTF], BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, "sys_enter");
	wd_try_iterator(&hooks[HOOK_ITER_PROG], "bpf_prog");
	wd_try_iterator(&hooks[HOOK_ITER_TASK], "task");
	wd_try_map(&hooks[HOOK_RING], BPF_MAP_TYPE_RINGBUF);
	wd_try_map(&hooks[HOOK_TASK_STORAGE], BPF_MAP_TYPE_TASK_STORAGE);
	wd_try_kprobes(&hooks[HOOK_KPROBE]);
	wd_try_ia32(&hooks[HOOK_IA32]);
}

static bool works(const struct wd_attempt *hooks, enum hook hook)
{
	return hooks[hook].error == 0;
}

/* The best mode first. Every mode stands on what audit needs. */
static void judge(struct findings *found)
{
	static const enum hook needed[] = { HOOK_TP_BTF, HOOK_ITER_PROG, HOOK_ITER_TASK, HOOK_RING,
					    HOOK_TASK_STORAGE };

	found->available = found->mode = "none";
	for (size_t i = 0; i < WD_COUNT(needed); i++)
		if (!works(found->hooks, needed[i]))
			return;
	found->available = found->mode = "audit";
	if (works(found->hooks, HOOK_LSM))
		found->available = "lsm";
	else if (works(found->hooks, HOOK_FMOD_RET))
		found->available = "fmod_ret";
}

static void put_hook(struct wd_json *json, const struct wd_attempt *hook)
{
	wd_json_open(json, NULL, '{');
	wd_json_text(json, "name", hook->name);
	wd_json_bool(json, "ok", hook->error == 0);
	if (hook->error)
		wd_json_text(json, "errno", strerrorname_np(hook->error));
	else
		wd_json_null(json, "errno");
	if (hook->detail)
		wd_json_text(json, "detail", hook->detail);
	else
		wd_json_null(json, "detail");
	wd_json_close(json, '}');
}

static void print_json(const struct findings *found)
{
	struct wd_json json = { .out = stdout };

	wd_json_open(&json, NULL, '{');
	wd_json_text(&json, "schema", "warden.probe/1");
	wd_json_text(&json, "kernel", found->kernel.release);
	wd_json_text(&json, "machine", found->kernel.machine);
	wd_json_bool(&json, "btf", found->btf);
	if (found->lsm_list[0])
		wd_json_text(&json, "lsm", found->lsm_list);
	else
		wd_json_null(&json, "lsm");
	wd_json_text(&json, "available", found->available);
	wd_json_text(&json, "mode", found->mode);
	wd_json_open(&json, "hooks", '[');
	for (int i = 0; i < HOOKS; i++)
		put_hook(&json, &found->hooks[i]);
	wd_json_close(&json, ']');
	wd_json_close(&json, '}');
	puts("");
}

static void print_table(const struct findings *found)
{
	printf("kernel     %s (%s)\n", found->kernel.release, found->kernel.machine);
	printf("BTF        %s\n", found->btf ? BTF_PATH : "missing: CONFIG_DEBUG_INFO_BTF");
	printf("lsm=       %s\n", found->lsm_list[0] ? found->lsm_list : "unknown");
	printf("available  %s\n", found->available);
	printf("mode       %s\n\n", found->mode);
	for (int i = 0; i < HOOKS; i++) {
		const struct wd_attempt *hook = &found->hooks[i];

		printf("%-22s  %-9s  %s\n", hook->name,
		       hook->error ? strerrorname_np(hook->error) : "ok",
		       hook->detail ? hook->detail : "");
	}
}

int wd_probe(const struct wd_options *options)
{
	struct findings found = {};

	if (!options->verbose)
		libbpf_set_print(quiet);
	uname(&found.kernel);
	found.btf = access(BTF_PATH, R_OK) == 0;
	try_all(found.hooks);
	judge(&found);
	wd_read_lsm_list(found.lsm_list, sizeof(found.lsm_list));
	if (options->json)
		print_json(&found);
	else
		print_table(&found);
	return strcmp(found.mode, "none") ? EX_OK : EX_CONFIG;
}
