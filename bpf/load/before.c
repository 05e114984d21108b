/* SPDX-License-Identifier: Apache-2.0 */
/* By id, as anybody with CAP_SYS_ADMIN may walk them: no guard is in the way yet. */
#include "before.h"

#include "cleanup.h"
#include "json.h"
#include "raise.h"
#include "say.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* What can stand in a guard's way without a link that is looked at here: extensions, LSM. */
static bool is_of_interest(__u32 type)
{
	return type == BPF_PROG_TYPE_LSM || type == BPF_PROG_TYPE_EXT ||
	       type == BPF_PROG_TYPE_TRACING;
}

static void add(struct wd_before_list *list, const struct wd_before *entry)
{
	if (list->count == WD_BEFORE_MAX)
		list->left_out++;
	else
		list->entry[list->count++] = *entry;
}

static bool is_linked(const struct wd_before_list *list, __u32 program)
{
	for (__u32 i = 0; i < list->count; i++)
		if (list->entry[i].program == program)
			return true;
	return false;
}

/* A program that goes meanwhile is not there: nothing to tell of it. */
static bool fill_program(__u32 id, struct wd_before *entry)
{
	_cleanup_fd_ int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return false;
	entry->program = id;
	entry->program_type = info.type;
	memcpy(entry->name, info.name, sizeof(entry->name));
	entry->name[sizeof(entry->name) - 1] = 0;
	return true;
}

static void look_at_link(struct wd_before_list *list, __u32 id)
{
	_cleanup_fd_ int fd = bpf_link_get_fd_by_id(id);
	struct wd_before entry = { .link = id };
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return;
	entry.link_type = info.type;
	if (info.type == BPF_LINK_TYPE_TRACING)
		entry.attach_type = info.tracing.attach_type;
	fill_program(info.prog_id, &entry);
	add(list, &entry);
}

int wd_before_look(struct wd_before_list *ret_list)
{
	__u32 id = 0;

	memset(ret_list, 0, sizeof(*ret_list));
	while (!bpf_link_get_next_id(id, &id))
		look_at_link(ret_list, id);
	if (errno != ENOENT)
		return -errno;
	for (id = 0; !bpf_prog_get_next_id(id, &id);) {
		struct wd_before entry = {};

		if (!is_linked(ret_list, id) && fill_program(id, &entry) &&
		    is_of_interest(entry.program_type))
			add(ret_list, &entry);
	}
	return errno == ENOENT ? 0 : -errno;
}

static const char *or_number(const char *name)
{
	return name ? name : "unknown";
}

static void put(struct wd_json *json, const struct wd_before *entry)
{
	wd_json_open(json, NULL, '{');
	wd_json_number(json, "link", entry->link);
	if (entry->link)
		wd_json_text(json, "link_type",
			     or_number(libbpf_bpf_link_type_str(entry->link_type)));
	wd_json_number(json, "program", entry->program);
	wd_json_text(json, "program_type",
		     or_number(libbpf_bpf_prog_type_str(entry->program_type)));
	if (entry->link_type == BPF_LINK_TYPE_TRACING)
		wd_json_text(json, "attach_type",
			     or_number(libbpf_bpf_attach_type_str(entry->attach_type)));
	wd_json_text(json, "name", entry->name);
	wd_json_close(json, '}');
}

static int write_list(const char *dir, const struct wd_before_list *list)
{
	_cleanup_file_ FILE *file = NULL;
	struct wd_json json = {};
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/before.json", dir);
	file = fopen(path, "we");
	if (!file)
		return wd_fail(EX_CANTCREAT, "write", path, errno, NULL);
	json.out = file;
	wd_json_open(&json, NULL, '{');
	wd_json_text(&json, "schema", "warden.before/1");
	wd_json_open(&json, "before", '[');
	for (__u32 i = 0; i < list->count; i++)
		put(&json, &list->entry[i]);
	wd_json_close(&json, ']');
	wd_json_number(&json, "left_out", list->left_out);
	wd_json_close(&json, '}');
	fputc('\n', file);
	if (fflush(file) || fchmod(fileno(file), 0644))
		return wd_fail(EX_IOERR, "write", path, errno, NULL);
	return EX_OK;
}

int wd_before_tell(const char *dir, const struct wd_set *set, const struct wd_before_list *list)
{
	for (__u32 i = 0; i < list->count; i++) {
		const struct wd_before *entry = &list->entry[i];
		char text[WD_RAISE_REASON];

		snprintf(text, sizeof(text), "link %u %s, program %u %s %s", entry->link,
			 entry->link ? or_number(libbpf_bpf_link_type_str(entry->link_type)) :
				       "none",
			 entry->program,
			 or_number(libbpf_bpf_prog_type_str(entry->program_type)), entry->name);
		wd_say_state(set, WD_SAID_GUARD, WD_SAID_BEFORE, text);
	}
	return write_list(dir, list);
}
