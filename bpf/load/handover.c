/* SPDX-License-Identifier: Apache-2.0 */
/* The guard knows a file by its inode: whoever is to follow must be told to it by who is known. */
#include "handover.h"

#include "apply.h"
#include "cleanup.h"
#include "say.h"
#include "sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* Whoever could write to it could be one of ours. */
static const char *find_wrong(int fd)
{
	struct stat info;

	if (fstat(fd, &info) || !S_ISREG(info.st_mode))
		return "is no file";
	if (info.st_uid != 0 || info.st_mode & 0022)
		return "it must belong to root and be writable by nobody else";
	return info.st_mode & 0100 ? NULL : "is not executable";
}

int wd_hand_over(const struct wd_options *options, const struct wd_set *set)
{
	_cleanup_fd_ int fd = open(options->to, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *wrong = fd < 0 ? NULL : find_wrong(fd);
	struct wd_config config;
	int err;

	if (fd < 0)
		return wd_fail(EX_NOINPUT, "hand over", options->to, errno, NULL);
	if (wrong)
		return wd_fail(EX_NOPERM, "hand over", options->to, 0, wrong);
	err = wd_config_read(set, &config);
	if (!err)
		err = wd_key_of(set, fd, &config.self);
	if (!err)
		err = wd_sha256_fd(fd, config.self_digest);
	if (!err)
		err = wd_config_write(set, &config);
	return err ? wd_fail(EX_OSERR, "hand over", options->to, err, NULL) : EX_OK;
}
