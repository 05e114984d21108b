/* SPDX-License-Identifier: Apache-2.0 */
/* Cleanup attributes: what a function opened is closed on every way out of it. */
#ifndef WARDEN_CLEANUP_H
#define WARDEN_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void wd_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void wd_close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void wd_close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static inline void wd_free_text(char **text)
{
	free(*text);
}

#define _cleanup_fd_ __attribute__((cleanup(wd_close_fd)))
#define _cleanup_file_ __attribute__((cleanup(wd_close_file)))
#define _cleanup_dir_ __attribute__((cleanup(wd_close_dir)))
#define _cleanup_free_ __attribute__((cleanup(wd_free_text)))

/* Hands an fd over: the caller's cleanup lets it be. */
static inline int wd_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define WD_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif /* WARDEN_CLEANUP_H */
