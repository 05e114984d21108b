/* SPDX-License-Identifier: Apache-2.0 */
/* What every way of coming up has in common, from attached programs to a proved guard. */
#include "settle.h"

#include "apply.h"
#include "cleanup.h"
#include "forget.h"
#include "prove.h"
#include "raise.h"
#include "say.h"
#include "sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

bool wd_keeps_policy(const struct wd_config *config, const struct wd_policy *policy)
{
	return config->sealed ||
	       (policy->boot_revision && policy->boot_revision < config->boot_revision);
}

static int fail_canary(int err)
{
	if (err == -ENOTRECOVERABLE)
		return wd_fail(EX_PROTOCOL, "canary", "bpf(2)", 0,
			       "the programs are attached but do not run");
	return wd_fail(EX_OSERR, "canary", "bpf(2)", err, NULL);
}

/* From now on this file, run by root, is one of ours: the guard can't keep it out. */
static int know_self(const struct wd_set *set)
{
	_cleanup_fd_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct wd_config config;
	int err = fd < 0 ? -errno : wd_config_read(set, &config);

	if (!err)
		err = wd_key_of(set, fd, &config.self);
	if (!err)
		err = wd_sha256_fd(fd, config.self_digest);
	return err ? err : wd_config_write(set, &config);
}

int wd_settle(const struct wd_set *set, enum wd_baseline mode)
{
	int err = wd_own_objects(set);

	if (err)
		return wd_fail(EX_OSERR, "list own objects", "own", err, NULL);
	err = know_self(set);
	if (err)
		return wd_fail(EX_OSERR, "know own file", "/proc/self/exe", err, NULL);
	err = wd_label_baseline(set, mode);
	if (err)
		return wd_fail(EX_OSERR, "label running tasks", "baseline", err, NULL);
	err = wd_canary(set);
	return err ? fail_canary(err) : EX_OK;
}

int wd_take_role(const struct wd_set *set)
{
	int err = wd_give_role(set, getpid(), WD_ROLE_LOAD);

	return err ? wd_fail(EX_OSERR, "take own role", "tasks", err, NULL) : EX_OK;
}

int wd_begin_guard(const struct wd_set *set)
{
	struct wd_config config;
	int err = wd_config_read(set, &config);

	if (err)
		return err;
	if (!wd_mode_guards(config.mode) || config.guard_boot_ns)
		return 0;
	config.guard_boot_ns = wd_boot_ns();
	err = wd_config_write(set, &config);
	return err ? err : wd_forget_gone(set, config.guard_boot_ns);
}
