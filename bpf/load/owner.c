/* SPDX-License-Identifier: Apache-2.0 */
#include "owner.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As the kernel: more links in a row are a loop. */
#define LINKS_MAX 40

static bool only_root_writes(const struct stat *info)
{
	if (info->st_uid != 0)
		return false;
	if (S_ISLNK(info->st_mode) || !(info->st_mode & 0022))
		return true;
	return S_ISDIR(info->st_mode) && info->st_mode & S_ISVTX;
}

/* Each directory, and each link to one, from the root down to `path`. */
static bool are_all_roots(const char *path)
{
	char part[PATH_MAX];
	struct stat info;

	for (const char *at = path; at; at = strchr(at + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", at == path ? 1 : (int)(at - path), path);
		if (lstat(part, &info) || !only_root_writes(&info))
			return false;
	}
	return !lstat(path, &info) && only_root_writes(&info);
}

/* The same of where its links lead. */
static bool is_directory_roots(const char *path)
{
	char real[PATH_MAX];

	return are_all_roots(path) && realpath(path, real) && are_all_roots(real);
}

/* What a link names, taken from its own directory. False for what is none, or is too long. */
static bool read_link(const char *path, const char *directory, char ret_target[PATH_MAX])
{
	char text[PATH_MAX];
	ssize_t len = readlink(path, text, sizeof(text) - 1);
	int n;

	if (len < 0)
		return false;
	text[len] = 0;
	n = text[0] == '/' ? snprintf(ret_target, PATH_MAX, "%s", text) :
			     snprintf(ret_target, PATH_MAX, "%s/%s", directory, text);
	return n < PATH_MAX;
}

bool wd_is_roots(const char *path, const struct stat *info)
{
	char at[PATH_MAX], copy[PATH_MAX], target[PATH_MAX];
	const char *directory;
	struct stat link;

	if (!only_root_writes(info))
		return false;
	snprintf(at, sizeof(at), "%s", path);
	for (int i = 0; i < LINKS_MAX; i++) {
		memcpy(copy, at, sizeof(copy));
		directory = dirname(copy);
		if (!is_directory_roots(directory) || lstat(at, &link) || link.st_uid != 0)
			return false;
		if (!S_ISLNK(link.st_mode))
			return true;
		if (!read_link(at, directory, target))
			return false;
		memcpy(at, target, sizeof(at));
	}
	return false;
}
