/* SPDX-License-Identifier: Apache-2.0 */
/* libbpf's side of a load: one of the two objects, its maps shared with what is already there. */
#include "build.h"

#include "cleanup.h"
#include "image.h"
#include "say.h"
#include "sha256.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

struct wd_build {
	__u32 mode;
	struct wd_image image;
	struct bpf_map *maps[WD_MAPS];
	struct bpf_program *hooks[WD_HOOKS]; /* NULL: of another mode, or another kernel */
	struct bpf_program *iterators[WD_ITERATORS];
};

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level, (void)format, (void)arguments;
	return 0;
}

static struct bpf_program *find_program(const struct wd_build *build, const char *name)
{
	return bpf_object__find_program_by_name(build->image.object, name);
}

static bool is_known(const char *name)
{
	static const char *const others[] = { "baseline", "resolve", "declare",	 "decide",
					       "tier",	   "guard_sysctl" };

	for (size_t i = 0; i < WD_COUNT(others); i++)
		if (!strcmp(name, others[i]))
			return true;
	for (int i = 0; i < WD_ITERATORS; i++)
		if (!strcmp(name, WD_ITERATOR_PINS[i].name))
			return true;
	for (int i = 0; i < WD_HOOKS; i++)
		if (!strcmp(name, WD_HOOK_SPECS[i].name))
			return true;
	return false;
}

/* Where the kernel's BPF LSM is not asked: on the function itself. */
static int retarget(struct bpf_program *program, const char *section)
{
	bool refuses = !strncmp(section, "fmod_ret/", strlen("fmod_ret/"));
	int err = bpf_program__set_type(program, BPF_PROG_TYPE_TRACING);

	if (!err)
		err = bpf_program__set_expected_attach_type(
			program, refuses ? BPF_MODIFY_RETURN : BPF_TRACE_FENTRY);
	return err ? err : bpf_program__set_attach_target(program, 0, strchr(section, '/') + 1);
}

/* What may sleep is said here and not in the object: libbpf before 1.2 could not take it back. */
static int choose_hook(struct wd_build *build, enum wd_hook hook)
{
	struct bpf_program *program = find_program(build, WD_HOOK_SPECS[hook].name);
	const char *section = wd_hook_section(hook, build->mode);

	if (!wd_hook_is_wanted(hook, build->mode)) {
		if (program)
			bpf_program__set_autoload(program, false);
		return 0;
	}
	build->hooks[hook] = program;
	if (!program)
		return -ENOENT;
	if (section != WD_HOOK_SPECS[hook].section)
		return retarget(program, section);
	if (!strncmp(section, "lsm.s/", strlen("lsm.s/")))
		return bpf_program__set_flags(program, BPF_F_SLEEPABLE);
	return 0;
}

/* A program that no table knows is a mistake in the build: it must not go unattached. */
static int choose_programs(struct wd_build *build)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, build->image.object)
		if (!is_known(bpf_program__name(program)))
			return -ENOTSUP;
	for (int i = 0; i < WD_HOOKS; i++) {
		int err = choose_hook(build, i);

		if (err)
			return err;
	}
	for (int i = 0; i < WD_ITERATORS; i++) {
		build->iterators[i] = find_program(build, WD_ITERATOR_PINS[i].name);
		if (!build->iterators[i])
			return -ENOENT;
	}
	return 0;
}

static int open_build(const struct wd_options *options, __u32 mode, __u32 generation,
		      struct wd_build **ret_build)
{
	_cleanup_build_ struct wd_build *build = calloc(1, sizeof(*build));
	int err;

	if (!build)
		return -ENOMEM;
	if (options && !options->verbose)
		libbpf_set_print(quiet);
	build->mode = mode;
	err = wd_image_open(mode, generation, &build->image);
	for (int i = 0; !err && i < WD_MAPS; i++) {
		build->maps[i] = bpf_object__find_map_by_name(build->image.object,
							      WD_MAP_PINS[i].name);
		if (!build->maps[i])
			err = -ENOENT;
	}
	if (!err)
		err = choose_programs(build);
	if (err)
		return err;
	*ret_build = build;
	build = NULL;
	return 0;
}

void wd_build_free(struct wd_build **build)
{
	if (!*build)
		return;
	wd_image_close(&(*build)->image);
	free(*build);
	*build = NULL;
}

void wd_build_hash(__u32 mode, __u8 ret_hash[WD_DIGEST_LEN])
{
	size_t len = 0;
	const void *object = wd_image_bytes(mode, &len);

	wd_sha256(object, len, ret_hash);
}

static bool maps_fit(const struct wd_set *set, __u32 mode, char ret_text[WD_LAYOUT_TEXT])
{
	_cleanup_build_ struct wd_build *build = NULL;

	snprintf(ret_text, WD_LAYOUT_TEXT, "the programs of this build can't be opened");
	if (open_build(NULL, mode, 0, &build))
		return false;
	for (int i = 0; i < WD_MAPS; i++)
		if (!wd_layout_fits(build->image.object, build->maps[i], set->map[i],
				    i < WD_ALL_RINGS, ret_text))
			return false;
	return true;
}

/* The modes share their maps: a host goes from one to the other without losing any. */
bool wd_build_fits(const struct wd_set *set, char ret_text[WD_LAYOUT_TEXT])
{
	libbpf_print_fn_t before = libbpf_set_print(quiet);
	bool fits = maps_fit(set, WD_MODE_AUDIT, ret_text) &&
		    maps_fit(set, WD_MODE_LSM, ret_text);

	libbpf_set_print(before);
	return fits;
}

static int prepare_maps(struct wd_build *build, const struct wd_options *options,
			const struct wd_set *set)
{
	for (int i = 0; i < WD_MAPS; i++) {
		int err = 0;

		if (set->map[i] >= 0)
			err = bpf_map__reuse_fd(build->maps[i], set->map[i]);
		else if (i < WD_ALL_RINGS && options->ring_bytes[i])
			err = bpf_map__set_max_entries(build->maps[i], options->ring_bytes[i]);
		if (err)
			return err;
	}
	return 0;
}

static int keep_fd(int fd, int *ret_fd)
{
	wd_close_fd(ret_fd);
	*ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return *ret_fd < 0 ? -errno : 0;
}

/* What was retargeted has lost what libbpf knows of its section. */
static struct bpf_link *attach(struct bpf_program *program)
{
	switch (bpf_program__expected_attach_type(program)) {
	case BPF_MODIFY_RETURN:
	case BPF_TRACE_FENTRY:
		return bpf_program__attach_trace(program);
	default:
		return bpf_program__attach(program);
	}
}

static int keep_link(struct bpf_program *program, int *ret_fd)
{
	struct bpf_link *link = attach(program);
	int err;

	if (!link)
		return -errno;
	err = keep_fd(bpf_link__fd(link), ret_fd);
	bpf_link__destroy(link);
	return err;
}

/* -1 when there is no such program. */
static int fd_of(const struct wd_build *build, const char *name)
{
	const struct bpf_program *program = find_program(build, name);

	return program ? bpf_program__fd(program) : -1;
}

static int keep_objects(struct wd_build *build, struct wd_set *set)
{
	struct bpf_program *baseline = find_program(build, "baseline");
	int err = keep_fd(fd_of(build, "resolve"), &set->resolve);

	if (!err)
		err = keep_fd(fd_of(build, "declare"), &set->declare);
	if (!err && fd_of(build, "guard_sysctl") >= 0)
		err = keep_fd(fd_of(build, "guard_sysctl"), &set->sysctl);
	if (!err)
		err = keep_fd(fd_of(build, "decide"), &set->decide);
	if (!err)
		err = keep_fd(fd_of(build, "tier"), &set->tier);
	if (!err)
		err = baseline ? keep_link(baseline, &set->baseline) : -ENOENT;
	for (int i = 0; !err && i < WD_MAPS; i++)
		if (set->map[i] < 0)
			err = keep_fd(bpf_map__fd(build->maps[i]), &set->map[i]);
	for (int i = 0; !err && i < WD_ITERATORS; i++)
		err = keep_link(build->iterators[i], &set->iterator[i]);
	return err;
}

static int teach(const struct wd_set *set, __u32 kind, int fd)
{
	struct wd_resolve context = { .fd = fd, .learn = kind };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &context, .ctx_size_in = sizeof(context));

	if (fd < 0 || bpf_prog_test_run_opts(set->resolve, &run))
		return -errno;
	return context.error;
}

/* The kernel's own BTF, as an fd: mostly the first one that it made. Returns an fd or -errno. */
static int open_kernel_btf(void)
{
	__u32 id = 0;

	while (!bpf_btf_get_next_id(id, &id)) {
		_cleanup_fd_ int fd = bpf_btf_get_fd_by_id(id);
		char name[64] = "";
		struct bpf_btf_info info = { .name = (uintptr_t)name, .name_len = sizeof(name) };
		__u32 len = sizeof(info);

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
			continue;
		if (info.kernel_btf && !strcmp(name, "vmlinux"))
			return wd_take_fd(&fd);
	}
	return -errno;
}

/* Shows the programs one fd of each kind. Of the BTF they learn where kfuncs' names are, too. */
static int teach_kinds(const struct wd_set *set)
{
	_cleanup_fd_ int btf = open_kernel_btf();
	int err = btf < 0 ? btf : teach(set, WD_OBJECT_BTF, btf);

	if (!err)
		err = teach(set, WD_OBJECT_PROG, set->resolve);
	if (!err)
		err = teach(set, WD_OBJECT_MAP, set->map[WD_MAP_STATS]);
	return err ? err : teach(set, WD_OBJECT_LINK, set->baseline);
}

int wd_build_load(const struct wd_options *options, __u32 mode, __u32 generation,
		  struct wd_set *set, struct wd_build **ret_build)
{
	_cleanup_build_ struct wd_build *build = NULL;
	const char *name = wd_mode_name(mode);
	int err = open_build(options, mode, generation, &build);

	if (err)
		return wd_fail(EX_SOFTWARE, "open programs", name, err, NULL);
	err = prepare_maps(build, options, set);
	if (err)
		return wd_fail(EX_SOFTWARE, "size maps", name, err, NULL);
	err = bpf_object__load_skeleton(build->image.skeleton);
	if (err)
		return wd_fail(EX_CONFIG, "load programs", name, err,
			       "see warden-load probe; --verbose shows the kernel's log");
	set->generation = generation;
	err = keep_objects(build, set);
	if (err)
		return wd_fail(EX_OSERR, "make iterators", name, err, NULL);
	err = teach_kinds(set);
	if (err)
		return wd_fail(EX_SOFTWARE, "teach kinds of fds", "resolve", err, NULL);
	*ret_build = build;
	build = NULL;
	return EX_OK;
}

int wd_build_attach(struct wd_build *build, struct wd_set *set)
{
	for (int i = 0; i < WD_HOOKS; i++) {
		int err = build->hooks[i] ? keep_link(build->hooks[i], &set->hook[i]) : 0;

		if (err)
			return wd_fail(EX_CONFIG, "attach", wd_hook_section(i, build->mode), err,
				       "warden-load probe says what this kernel refuses");
	}
	return EX_OK;
}
