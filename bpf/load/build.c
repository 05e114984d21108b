/* SPDX-License-Identifier: Apache-2.0 */
/* The libbpf skeleton, behind a door of five functions. */
#include "build.h"

#include "cleanup.h"
#include "say.h"
#include "sha256.h"

#include "audit.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct wd_build {
	struct audit_bpf *skeleton;
	struct bpf_map *maps[WD_MAPS];
	struct bpf_program *hooks[WD_HOOKS];
	struct bpf_program *iterators[WD_ITERATORS];
};

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level, (void)format, (void)arguments;
	return 0;
}

static int open_skeleton(const struct wd_options *options, struct wd_build **ret_build)
{
	struct wd_build *build = calloc(1, sizeof(*build));

	if (!build)
		return -ENOMEM;
	if (!options || !options->verbose)
		libbpf_set_print(quiet);
	build->skeleton = audit_bpf__open();
	if (!build->skeleton) {
		free(build);
		return -errno;
	}
	for (int i = 0; i < WD_MAPS; i++)
		build->maps[i] = bpf_object__find_map_by_name(build->skeleton->obj,
							      WD_MAP_PINS[i].name);
	for (int i = 0; i < WD_HOOKS; i++)
		build->hooks[i] = bpf_object__find_program_by_name(build->skeleton->obj,
								   WD_HOOK_PINS[i].name);
	for (int i = 0; i < WD_ITERATORS; i++)
		build->iterators[i] = bpf_object__find_program_by_name(build->skeleton->obj,
								       WD_ITERATOR_PINS[i].name);
	*ret_build = build;
	return 0;
}

void wd_build_free(struct wd_build **build)
{
	if (!*build)
		return;
	audit_bpf__destroy((*build)->skeleton);
	free(*build);
	*build = NULL;
}

void wd_build_hash(__u8 ret_hash[WD_DIGEST_LEN])
{
	size_t len;
	const void *object = audit_bpf__elf_bytes(&len);

	wd_sha256(object, len, ret_hash);
}

/* A ring may have any size: it is given on the command line. */
static bool map_fits(const struct bpf_map *built, int fd, bool is_ring)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return false;
	return info.type == bpf_map__type(built) && info.key_size == bpf_map__key_size(built) &&
	       info.value_size == bpf_map__value_size(built) &&
	       (is_ring || info.max_entries == bpf_map__max_entries(built));
}

bool wd_build_fits(const struct wd_set *set)
{
	_cleanup_build_ struct wd_build *build = NULL;

	if (open_skeleton(NULL, &build))
		return false;
	for (int i = 0; i < WD_MAPS; i++)
		if (!map_fits(build->maps[i], set->map[i], i <= WD_MAP_RING_BULK))
			return false;
	return true;
}

static int prepare_maps(struct wd_build *build, const struct wd_options *options,
			const struct wd_set *set)
{
	for (int i = 0; i < WD_MAPS; i++) {
		int err = 0;

		if (set->map[i] >= 0)
			err = bpf_map__reuse_fd(build->maps[i], set->map[i]);
		else if (i <= WD_MAP_RING_BULK && options->ring_bytes[i])
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

static int keep_link(struct bpf_program *program, int *ret_fd)
{
	struct bpf_link *link = bpf_program__attach(program);
	int err;

	if (!link)
		return -errno;
	err = keep_fd(bpf_link__fd(link), ret_fd);
	bpf_link__destroy(link);
	return err;
}

static int keep_objects(struct wd_build *build, struct wd_set *set)
{
	int err = keep_fd(bpf_program__fd(build->skeleton->progs.resolve), &set->resolve);

	if (!err)
		err = keep_fd(bpf_program__fd(build->skeleton->progs.declare), &set->declare);
	if (!err)
		err = keep_fd(bpf_program__fd(build->skeleton->progs.decide), &set->decide);
	if (!err)
		err = keep_link(build->skeleton->progs.baseline, &set->baseline);
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

/* Shows the programs one fd of each kind. The kernel's own BTF is the first one it made. */
static int teach_kinds(const struct wd_set *set)
{
	_cleanup_fd_ int btf = -1;
	__u32 id = 0;
	int err;

	if (bpf_btf_get_next_id(0, &id))
		return -errno;
	btf = bpf_btf_get_fd_by_id(id);
	err = teach(set, WD_OBJECT_BTF, btf);
	if (!err)
		err = teach(set, WD_OBJECT_PROG, set->resolve);
	if (!err)
		err = teach(set, WD_OBJECT_MAP, set->map[WD_MAP_STATS]);
	return err ? err : teach(set, WD_OBJECT_LINK, set->baseline);
}

int wd_build_load(const struct wd_options *options, __u32 generation, struct wd_set *set,
		  struct wd_build **ret_build)
{
	_cleanup_build_ struct wd_build *build = NULL;
	int err = open_skeleton(options, &build);

	if (err)
		return wd_fail(EX_SOFTWARE, "open programs", "audit", err, NULL);
	build->skeleton->rodata->generation = generation;
	err = prepare_maps(build, options, set);
	if (err)
		return wd_fail(EX_SOFTWARE, "size maps", "audit", err, NULL);
	err = audit_bpf__load(build->skeleton);
	if (err)
		return wd_fail(EX_CONFIG, "load programs", "audit", err,
			       "see warden-load probe; --verbose shows the kernel's log");
	err = keep_objects(build, set);
	if (err)
		return wd_fail(EX_OSERR, "make iterators", "audit", err, NULL);
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
		int err = keep_link(build->hooks[i], &set->hook[i]);

		if (err)
			return wd_fail(EX_CONFIG, "attach", WD_HOOK_PINS[i].name, err,
				       "warden-load probe says what this kernel refuses");
	}
	return EX_OK;
}
