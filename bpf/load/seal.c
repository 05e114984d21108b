/* SPDX-License-Identifier: Apache-2.0 */
/* Who seals needs no token; everybody else's way leads through wd_seal_allows. */
#include "seal.h"

#include "cleanup.h"
#include "place.h"
#include "prove.h"
#include "release.h"
#include "say.h"
#include "sha256.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REQUEST_MAX 512

static bool has_operator(const struct wd_set *set)
{
	struct wd_operator_key first;

	return !bpf_map_get_next_key(set->map[WD_MAP_OPERATORS], NULL, &first);
}

static int set_sealed(const struct wd_set *set, bool sealed, const __u8 bundle[WD_DIGEST_LEN])
{
	struct wd_config config;
	int err = wd_config_read(set, &config);

	if (err)
		return err;
	config.sealed = sealed;
	memcpy(config.bundle, bundle, sizeof(config.bundle));
	return wd_config_write(set, &config);
}

/* For people, who can't look into the map; nothing is decided by it. */
static void mark(const char *dir, bool sealed)
{
	_cleanup_fd_ int fd = -1;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/sealed", dir);
	if (!sealed && unlink(path) && errno != ENOENT)
		wd_note("%s: %s", path, strerror(errno));
	if (sealed)
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (sealed && fd < 0)
		wd_note("%s: %s", path, strerror(errno));
}

int wd_seal(const struct wd_options *options, const struct wd_set *set)
{
	__u8 bundle[WD_DIGEST_LEN];
	int err, code = wd_release_digest(options->app, bundle);

	if (code)
		return code;
	if (wd_is_sealed(set))
		return wd_fail(EX_UNAVAILABLE, "seal", options->dir, 0, "it is sealed already");
	if (!has_operator(set))
		return wd_fail(EX_CONFIG, "seal", options->dir, 0,
			       "the policy in force names no operator: nobody could unseal it");
	err = set_sealed(set, true, bundle);
	if (err)
		return wd_fail(EX_OSERR, "seal", "config", err, NULL);
	mark(options->dir, true);
	wd_say_state(set, WD_SAID_SEAL, WD_RAISE_SET, "until an operator's token unseals it");
	return EX_OK;
}

int wd_unseal(const struct wd_options *options, const struct wd_set *set)
{
	static const __u8 nothing[WD_DIGEST_LEN];
	int err, code;

	if (!wd_is_sealed(set))
		return wd_fail(EX_UNAVAILABLE, "unseal", options->dir, 0, "it is not sealed");
	code = wd_seal_allows(options, set, WD_ACTION_UNSEAL, NULL);
	if (code)
		return code;
	err = set_sealed(set, false, nothing);
	if (err)
		return wd_fail(EX_OSERR, "unseal", "config", err, NULL);
	mark(options->dir, false);
	wd_say_state(set, WD_SAID_SEAL, WD_RAISE_CLEARED, "by an operator's token");
	return EX_OK;
}

bool wd_is_sealed(const struct wd_set *set)
{
	struct wd_config config;

	return wd_config_read(set, &config) || config.sealed;
}

int wd_seal_allows(const struct wd_options *options, const struct wd_set *set,
		   enum wd_action action, const __u8 *digest)
{
	char text[WD_RAISE_REASON];

	if (!wd_is_sealed(set))
		return EX_OK;
	if (options->token)
		return wd_token_allow(set, options->token, action, digest);
	snprintf(text, sizeof(text), "%s: no token", wd_action_name(action));
	wd_say_state(set, WD_SAID_SEAL, WD_RAISE_REFUSED, text);
	return wd_fail(EX_NOPERM, wd_action_name(action), options->dir, 0,
		       "sealed: needs --token FILE, signed by an operator (./warden token)");
}

int wd_seal_allows_file(const struct wd_options *options, const struct wd_set *set,
			enum wd_action action, const char *path)
{
	_cleanup_fd_ int fd = -1;
	__u8 digest[WD_SHA256_LEN];
	int err;

	if (!wd_is_sealed(set))
		return EX_OK;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	err = fd < 0 ? -errno : wd_sha256_fd(fd, digest);
	if (err)
		return wd_fail(EX_NOINPUT, wd_action_name(action), path, err, NULL);
	return wd_seal_allows(options, set, action, digest);
}

/* What is signed of a raise: all that it gives, and to whom, in one text. */
int wd_seal_allows_raise(const struct wd_options *options, const struct wd_set *set)
{
	const struct wd_request *request = &options->request;
	__u8 digest[WD_SHA256_LEN];
	char text[REQUEST_MAX];
	size_t len;

	len = snprintf(text, sizeof(text), "%s tier=%u for_ms=%llu commands=%016llx",
		       wd_raise_kind_name(request->kind), request->has_tier ? request->tier : 0,
		       request->for_ms, request->commands);
	for (__u32 i = 0; i < request->subjects_count && len < sizeof(text); i++)
		len += snprintf(text + len, sizeof(text) - len, " %s:%u",
				wd_subject_kind_name(request->subjects[i].kind),
				request->subjects[i].id);
	if (len >= sizeof(text))
		return wd_fail(EX_USAGE, "raise", options->dir, 0, "too long");
	wd_sha256(text, len, digest);
	return wd_seal_allows(options, set, WD_ACTION_RAISE, digest);
}

/* The programs in force tell of a refusal: those of this build do not act yet. */
int wd_seal_allows_upgrade(const struct wd_options *options, const struct wd_config *before)
{
	_cleanup_set_ struct wd_set old;

	wd_set_init(&old);
	if (!before->sealed)
		return EX_OK;
	if (wd_set_open_maps(options->dir, &old) ||
	    wd_set_open_generation(options->dir, before->generation, before->mode, &old))
		wd_note("%s: not whole: nothing of this can be recorded", options->dir);
	return wd_seal_allows_file(options, &old, WD_ACTION_UPGRADE, "/proc/self/exe");
}

/* Of the root of a bpffs; what is mounted from within one has another. */
#define ROOT_INODE 1

/*
 * Whether what is pinned in `dir` is sealed, of another layout: not; -errno when nothing says it.
 * Fails closed: whoever calls us chooses the directory, our limits and our filters. A load or an
 * unload that was cut off may have left a whole bpffs without a config.
 */
static int pinned_sealed(const char *dir)
{
	_cleanup_fd_ int fd = -1;
	struct bpf_map_info info = {};
	__u32 len = sizeof(info), key = 0;
	struct wd_config config;
	char path[PATH_MAX];
	struct stat root;

	if (!wd_bpffs_is_mounted(dir))
		return 0;
	snprintf(path, sizeof(path), "%s/bpf", dir);
	if (stat(path, &root))
		return -errno;
	if (root.st_ino != ROOT_INODE)
		return -EXDEV;
	snprintf(path, sizeof(path), "%s/bpf/config", dir);
	if (access(path, F_OK))
		return errno == ENOENT ? 0 : -errno;
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	if (info.value_size != sizeof(config))
		return 0;
	if (bpf_map_lookup_elem(fd, &key, &config))
		return -errno;
	return config.sealed != 0;
}

int wd_seal_allows_unload(const struct wd_options *options, enum wd_action action)
{
	_cleanup_set_ struct wd_set set;
	struct wd_config config;
	int sealed = pinned_sealed(options->dir), err;

	wd_set_init(&set);
	if (sealed < 0)
		return wd_fail(EX_NOPERM, wd_action_name(action), options->dir, -sealed,
			       "what is pinned there can't be read, and so may be sealed");
	if (!sealed)
		return EX_OK;
	err = wd_set_open_maps(options->dir, &set);
	if (!err)
		err = wd_give_role(&set, getpid(), WD_ROLE_LOAD);
	if (!err)
		err = wd_config_read(&set, &config);
	if (err)
		return wd_fail(EX_NOPERM, wd_action_name(action), options->dir, -err,
			       "sealed, and a token can't be looked at");
	if (wd_set_open_generation(options->dir, config.generation, config.mode, &set))
		wd_note("%s: not whole: nothing of this can be recorded", options->dir);
	return wd_seal_allows(options, &set, action, NULL);
}

/* Sealed, only what was released is started, and only in one way. */
int wd_seal_allows_service(const struct wd_set *set, struct wd_service *service,
			   __u8 ret_bundle[WD_DIGEST_LEN])
{
	__u8 digest[WD_DIGEST_LEN];
	struct wd_config config;
	char app[PATH_MAX];
	const char *wrong = NULL;
	int err = wd_config_read(set, &config);

	if (err)
		return wd_fail(EX_OSERR, "read config", "config", err, NULL);
	service->bundle = NULL;
	if (!config.sealed)
		return EX_OK;
	snprintf(app, sizeof(app), "%s/app", service->dir);
	memcpy(ret_bundle, config.bundle, sizeof(config.bundle));
	service->bundle = ret_bundle;
	if (!wd_release_starts(service->command, app))
		wrong = "services: not the command of a release";
	else if (wd_release_digest(service->app, digest) ||
		 memcmp(digest, config.bundle, sizeof(digest)))
		wrong = "services: not the release that was sealed";
	if (!wrong)
		return EX_OK;
	wd_say_state(set, WD_SAID_SEAL, WD_RAISE_REFUSED, wrong);
	return wd_fail(EX_NOPERM, "sealed", service->app, 0, wrong);
}
