/* SPDX-License-Identifier: Apache-2.0 */
/* What this kernel gives, hook by hook, and the mode that follows. */
#include "probe.h"

#include "attempt.h"
#include "cleanup.h"
#include "hooks.h"
#include "json.h"
#include "say.h"

#include <bpf/libbpf.h>
#include <string.h>
#include <sys/utsname.h>

#define BTF_PATH "/sys/kernel/btf/vmlinux"

/* What no mode's table has: the audit's stand-in for its tracepoints, and what is no hook. */
enum thing {
	THING_TP_BTF,
	THING_ITER_PROG,
	THING_ITER_TASK,
	THING_RING,
	THING_TASK_STORAGE,
	THING_KPROBE,
	THING_IA32,
	THINGS,
};

struct findings {
	struct utsname kernel;
	char lsm_list[256];
	char advice[384];      /* "" when there is nothing to do */
	bool btf;
	__u32 mode;	       /* enum wd_mode, or 0: none */
	__u32 guard_mode;      /* whose hooks the guard's are */
	struct wd_attempt things[THINGS];
	struct wd_attempt guard[WD_HOOKS]; /* without a name: not of this kernel */
	struct wd_attempt lsm; /* why the guard's are not those of mode lsm; or no error */
};

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level, (void)format, (void)arguments;
	return 0;
}

static const struct wd_attempt *first_failed(const struct findings *found)
{
	for (int i = 0; i < WD_HOOKS; i++)
		if (found->guard[i].name && found->guard[i].error)
			return &found->guard[i];
	return NULL;
}

static void try_guard(struct findings *found, __u32 mode)
{
	memset(found->guard, 0, sizeof(found->guard));
	found->guard_mode = mode;
	for (int i = 0; i < WD_HOOKS; i++)
		if (wd_hook_is_wanted(i, mode))
			wd_try_hook(&found->guard[i], wd_hook_section(i, mode));
}

/* The guard as it would come up: without what mode lsm needs, by mode fmod_ret. */
static void try_guards(struct findings *found)
{
	const struct wd_attempt *failed;

	try_guard(found, WD_MODE_LSM);
	failed = first_failed(found);
	if (!failed)
		return;
	found->lsm = *failed;
	try_guard(found, WD_MODE_FMOD_RET);
}

static void try_all(struct findings *found)
{
	struct wd_attempt *things = found->things;

	try_guards(found);
	wd_try_hook(&things[THING_TP_BTF], "tp_btf/sys_enter");
	wd_try_hook(&things[THING_ITER_PROG], "iter/bpf_prog");
	wd_try_hook(&things[THING_ITER_TASK], "iter/task");
	things[THING_RING].name = "ring_buffer";
	wd_try_map(&things[THING_RING], BPF_MAP_TYPE_RINGBUF);
	things[THING_TASK_STORAGE].name = "task_storage";
	wd_try_map(&things[THING_TASK_STORAGE], BPF_MAP_TYPE_TASK_STORAGE);
	things[THING_KPROBE].name = "kprobes";
	wd_try_kprobes(&things[THING_KPROBE]);
	things[THING_IA32].name = "ia32_emulation";
	wd_try_ia32(&things[THING_IA32]);
}

/* The best mode first. Every mode needs what all of them have in common. */
static void judge(struct findings *found)
{
	static const enum thing needed[] = { THING_TP_BTF, THING_ITER_PROG, THING_ITER_TASK,
					     THING_RING, THING_TASK_STORAGE };

	for (size_t i = 0; i < WD_COUNT(needed); i++)
		if (found->things[needed[i]].error)
			return;
	found->mode = first_failed(found) ? WD_MODE_AUDIT : found->guard_mode;
}

static bool has_module(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, name, len) && (at[len] == ',' || !at[len]))
			return true;
	}
	return false;
}

static void advise(struct findings *found)
{
	const char *without = first_failed(found) ? "nothing can be refused" :
						    "what is refused can be got by";

	if (!*found->lsm_list || has_module(found->lsm_list, "bpf") || !found->lsm.error)
		return;
	snprintf(found->advice, sizeof(found->advice),
		 "put lsm=%s,bpf on the kernel's command line: without bpf in it %s",
		 found->lsm_list, without);
}

static const char *mode_name(const struct findings *found)
{
	return found->mode ? wd_mode_name(found->mode) : "none";
}

static void put_text_or_null(struct wd_json *json, const char *key, const char *text)
{
	if (text && *text)
		wd_json_text(json, key, text);
	else
		wd_json_null(json, key);
}

/* `ran` is null where nothing was done that the hook must see. */
static void put_hook(struct wd_json *json, const struct wd_attempt *hook, bool is_guard)
{
	wd_json_open(json, NULL, '{');
	wd_json_text(json, "name", hook->name);
	wd_json_bool(json, "ok", hook->error == 0);
	put_text_or_null(json, "errno", hook->error ? strerrorname_np(hook->error) : NULL);
	put_text_or_null(json, "detail", hook->detail);
	if (hook->provoked)
		wd_json_bool(json, "ran", hook->ran);
	else
		wd_json_null(json, "ran");
	wd_json_bool(json, "guard", is_guard);
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
	put_text_or_null(&json, "lsm", found->lsm_list);
	wd_json_text(&json, "mode", mode_name(found));
	put_text_or_null(&json, "advice", found->advice);
	wd_json_open(&json, "hooks", '[');
	if (found->lsm.error)
		put_hook(&json, &found->lsm, true);
	for (int i = 0; i < WD_HOOKS; i++)
		if (found->guard[i].name)
			put_hook(&json, &found->guard[i], true);
	for (int i = 0; i < THINGS; i++)
		put_hook(&json, &found->things[i], false);
	wd_json_close(&json, ']');
	wd_json_close(&json, '}');
	puts("");
}

static void print_hook(const struct wd_attempt *hook)
{
	const char *how = hook->error ? strerrorname_np(hook->error) : "ok";
	const char *detail = hook->detail ? hook->detail : hook->ran ? "seen to run" : "";

	printf("%-29s %-9s%s%s\n", hook->name, how, *detail ? " " : "", detail);
}

static void print_table(const struct findings *found)
{
	printf("kernel     %s (%s)\n", found->kernel.release, found->kernel.machine);
	printf("BTF        %s\n", found->btf ? BTF_PATH : "missing: CONFIG_DEBUG_INFO_BTF");
	printf("lsm=       %s\n", found->lsm_list[0] ? found->lsm_list : "unknown");
	printf("mode       %s\n", mode_name(found));
	if (found->advice[0])
		printf("to do      %s\n", found->advice);
	if (found->lsm.error) {
		printf("\nmode lsm lacks\n");
		print_hook(&found->lsm);
	}
	printf("\nthe guard needs\n");
	for (int i = 0; i < WD_HOOKS; i++)
		if (found->guard[i].name)
			print_hook(&found->guard[i]);
	printf("\nother\n");
	for (int i = 0; i < THINGS; i++)
		print_hook(&found->things[i]);
}

int wd_probe(const struct wd_options *options)
{
	struct findings found = {};

	if (!options->verbose)
		libbpf_set_print(quiet);
	uname(&found.kernel);
	found.btf = access(BTF_PATH, R_OK) == 0;
	try_all(&found);
	judge(&found);
	wd_read_lsm_list(found.lsm_list, sizeof(found.lsm_list));
	advise(&found);
	if (options->json)
		print_json(&found);
	else
		print_table(&found);
	return found.mode ? EX_OK : EX_CONFIG;
}
