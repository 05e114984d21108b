/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing here is trusted before its signature was checked, but for the keys beside it. */
#include "boot.h"

#include "cleanup.h"
#include "raise.h"
#include "say.h"
#include "sha256.h"
#include "token.h"
#include "words.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX (1 << 20)
#define OPERATORS_MAX 8192
#define SIGNATURE "signature "

/* Observes: a host whose policy is lost still boots, and tells. */
static const char BUILT_IN[] =
	"warden-policy 6\n"
	"hash 0000000000000000000000000000000000000000000000000000000000000000\n"
	"default_tier 3\n"
	"ceiling 4\n"
	"protect 1\n"
	"bulk_rate 1000\n"
	"grant 0 commands=ffffffffffffffff prog_types=ffffffffffffffff "
	"map_types=ffffffffffffffff attach_types=ffffffffffffffffffffffffffffffff "
	"helpers=ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff "
	"foreign=1 keyrings=1f keyring=0 enforce=0000 kfuncs=*\n"
	"tier 0 grant=0\n"
	"tier 1 grant=0\n"
	"tier 2 grant=0\n"
	"tier 3 grant=0\n"
	"tier 4 grant=0\n"
	"unknown_grant 0\n"
	"end\n";

static void beside(const char *file, const char *name, char ret_path[PATH_MAX])
{
	const char *slash = strrchr(file, '/');

	snprintf(ret_path, PATH_MAX, "%.*s%s", slash ? (int)(slash + 1 - file) : 0, file, name);
}

/* A text without NUL, ended by one. The caller frees it. Returns 0 or -errno. */
static int read_text(const char *path, size_t max, char **ret_text, size_t *ret_len)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	struct stat info;
	ssize_t n;

	if (fd < 0 || fstat(fd, &info))
		return -errno;
	if (!S_ISREG(info.st_mode) || (size_t)info.st_size > max)
		return -EFBIG;
	text = calloc(1, info.st_size + 1);
	if (!text)
		return -ENOMEM;
	n = read(fd, text, info.st_size);
	if (n != info.st_size || memchr(text, 0, n))
		return n < 0 ? -errno : -EINVAL;
	*ret_len = n;
	*ret_text = text;
	text = NULL;
	return 0;
}

static bool is_key_of(char *line, const char *name, struct wd_operator *ret_operator)
{
	char *rest = line, *word = wd_take_word(&rest);

	return word && rest && !strcmp(word, name) &&
	       !wd_unhex(rest, WD_KEY_LEN, ret_operator->key);
}

static bool find_operator(const char *file, const char *name, struct wd_operator *ret_operator)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t len;

	beside(file, "operators", path);
	if (read_text(path, OPERATORS_MAX, &text, &len))
		return false;
	for (char *line = text, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			return false;
		*end = 0;
		if (is_key_of(line, name, ret_operator))
			return true;
	}
	return false;
}

/* The value of the line that `*at` begins with, which is cut off; `at` goes to the next. */
static char *take_line(char **at, const char *word)
{
	size_t len = strlen(word);
	char *value = *at + len + 1, *end = strchr(*at, '\n');

	if (!end || strncmp(*at, word, len) || (*at)[len] != ' ')
		return NULL;
	*end = 0;
	*at = end + 1;
	return value;
}

/* Splits a file whose signature is good. Returns what is wrong with it, or NULL. */
static const char *check(const char *file, char *text, size_t len, __u32 *ret_revision,
			 char **ret_policy)
{
	const size_t last_len = strlen(SIGNATURE) + 2 * WD_SIGNATURE_LEN + 1;
	__u8 signature[WD_SIGNATURE_LEN];
	struct wd_operator operator;
	char copy[256] = "", *at = copy, *revision, *name, *last = text + len - last_len;

	if (len <= last_len || last[-1] != '\n' || strncmp(last, SIGNATURE, strlen(SIGNATURE)) ||
	    text[len - 1] != '\n')
		return "is not signed";
	text[len - 1] = 0;
	if (wd_unhex(last + strlen(SIGNATURE), sizeof(signature), signature))
		return "is not signed";
	memcpy(copy, text, len < sizeof(copy) ? len : sizeof(copy) - 1);
	if (strncmp(copy, "warden-boot 1\n", 14))
		return "is no boot policy of version 1";
	at += 14;
	revision = take_line(&at, "revision");
	name = revision ? take_line(&at, "operator") : NULL;
	if (!name || wd_take_number(&revision, NULL, 1, UINT32_MAX, ret_revision))
		return "names no revision, or no operator";
	if (!find_operator(file, name, &operator))
		return "is signed by nobody that this host knows";
	if (!wd_verifies(&operator, text, last - text, signature))
		return "has a signature that is not its operator's";
	*last = 0;
	*ret_policy = text + (at - copy);
	return NULL;
}

/* Returns what is wrong with a file, or NULL: then it is the policy. */
static const char *take(const char *file, const char *path, __u32 least,
			struct wd_policy *ret_policy, __u32 *ret_revision)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_file_ FILE *stream = NULL;
	const char *wrong;
	char *policy;
	size_t len;

	if (read_text(path, FILE_MAX, &text, &len))
		return "can't be read";
	wrong = check(file, text, len, ret_revision, &policy);
	if (!wrong && *ret_revision < least)
		wrong = "is older than the one that was accepted last";
	if (wrong)
		return wrong;
	stream = fmemopen(policy, strlen(policy), "r");
	return !stream || wd_policy_take(stream, path, ret_policy) ? "is no compiled policy" : NULL;
}

/* What can't be read was never written: there is no policy that would be older. */
static __u32 last_revision(const char *file)
{
	_cleanup_free_ char *text = NULL;
	__u32 revision = 0;
	char path[PATH_MAX], *at;
	size_t len;

	beside(file, "revision", path);
	if (read_text(path, 32, &text, &len))
		return 0;
	at = text;
	text[strcspn(text, "\n")] = 0;
	return wd_take_number(&at, NULL, 1, UINT32_MAX, &revision) ? 0 : revision;
}

static int take_built_in(struct wd_policy *ret_policy)
{
	_cleanup_file_ FILE *stream = fmemopen((void *)BUILT_IN, sizeof(BUILT_IN) - 1, "r");

	if (!stream)
		return wd_fail(EX_OSERR, "policy", "built in", errno, NULL);
	return wd_policy_take(stream, "built in", ret_policy);
}

int wd_boot_choose(const char *file, struct wd_policy *ret_policy, struct wd_boot *ret_boot)
{
	__u32 least = last_revision(file);
	char path[PATH_MAX];
	const char *wrong = take(file, file, least, ret_policy, &ret_boot->revision);

	ret_boot->refused[0] = 0;
	if (!wrong)
		return EX_OK;
	snprintf(ret_boot->refused, sizeof(ret_boot->refused), "boot policy %s", wrong);
	wd_note("%s: %s", file, ret_boot->refused);
	beside(file, "accepted", path);
	wrong = take(file, path, least, ret_policy, &ret_boot->revision);
	if (!wrong) {
		wd_note("%s: revision %u is used instead", path, ret_boot->revision);
		return EX_OK;
	}
	wd_note("%s: %s: the built-in policy is used, which observes", path, wrong);
	ret_boot->revision = 0;
	return take_built_in(ret_policy);
}

static int write_text(const char *file, const char *name, const char *text, size_t len)
{
	_cleanup_fd_ int fd = -1;
	char path[PATH_MAX], next[PATH_MAX];

	beside(file, name, path);
	snprintf(next, sizeof(next), "%.*s.next", PATH_MAX - 8, path);
	fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len || fsync(fd) || rename(next, path))
		return -errno;
	return 0;
}

/* The file first: a revision that is not there to fall back to would be in its own way. */
static void accept_file(const char *file, __u32 revision)
{
	_cleanup_free_ char *text = NULL;
	char number[16];
	size_t len = 0;
	int err;

	if (revision <= last_revision(file))
		return;
	err = read_text(file, FILE_MAX, &text, &len);
	if (!err)
		err = write_text(file, "accepted", text, len);
	snprintf(number, sizeof(number), "%u\n", revision);
	if (!err)
		err = write_text(file, "revision", number, strlen(number));
	if (err)
		wd_note("%s: revision %u is not remembered: %s", file, revision, strerror(-err));
}

void wd_boot_told(const struct wd_set *set, const char *file, const struct wd_boot *boot)
{
	if (boot->refused[0])
		wd_say_state(set, WD_SAID_GUARD, WD_RAISE_REFUSED, boot->refused);
	else
		accept_file(file, boot->revision);
}

bool wd_boot_is_off(void)
{
	_cleanup_file_ FILE *file = fopen("/proc/cmdline", "re");
	char line[4096] = "", *rest = line;

	if (!file || !fgets(line, sizeof(line), file))
		return false;
	line[strcspn(line, "\n")] = 0;
	for (char *word = strsep(&rest, " "); word; word = strsep(&rest, " "))
		if (!strcmp(word, "warden=off"))
			return true;
	return false;
}

int wd_boot_note_off(const char *dir)
{
	_cleanup_fd_ int fd = -1;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/off", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	return wd_fail(WD_EX_OFF, "load", dir, 0,
		       "warden=off is on the kernel's command line: nothing is attached");
}

void wd_boot_tell_off(const struct wd_set *set, const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/off", dir);
	if (unlink(path) == 0)
		wd_say_state(set, WD_SAID_GUARD, WD_RAISE_SET,
			     "warden=off: nothing was attached from boot until now");
}
