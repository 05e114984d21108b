/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the command line: each verb says which options it needs and which it takes. */
#include "options.h"

#include "cleanup.h"
#include "help.h"
#include "say.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#define RING_MAX_BYTES (1U << 28)

enum option_code {
	OPTION_DIR = 1,
	OPTION_POLICY,
	OPTION_GID,
	OPTION_USER,
	OPTION_APP,
	OPTION_STATE,
	OPTION_KEEP,
	OPTION_JSON,
	OPTION_VERBOSE,
	OPTION_HELP,
	OPTION_MODE,
	OPTION_SOURCE,
	OPTION_KIND,
	OPTION_SUBJECT,
	OPTION_TIER,
	OPTION_COMMANDS,
	OPTION_FOR_MS,
	OPTION_ISSUED_MS,
	OPTION_ID,
	OPTION_AUTHOR,
	OPTION_REASON,
	OPTION_TOKEN,
	OPTION_TO,
	OPTION_BOOT_POLICY,
	OPTION_RING_DENY,
	OPTION_RING_OBJECT,
	OPTION_RING_BULK,
	OPTION_RING_CODE,
};

#define BIT(option) (1U << (option))
#define LOAD_TAKES (BIT(OPTION_MODE) | BIT(OPTION_RING_DENY) | BIT(OPTION_RING_OBJECT) | \
		    BIT(OPTION_RING_BULK) | BIT(OPTION_RING_CODE))
#define LOAD_NEEDS (BIT(OPTION_DIR) | BIT(OPTION_POLICY))
#define CLEAR_NEEDS (BIT(OPTION_DIR) | BIT(OPTION_KIND) | BIT(OPTION_SUBJECT) | \
		     BIT(OPTION_ID) | BIT(OPTION_AUTHOR) | BIT(OPTION_REASON))
#define RAISE_TAKES (BIT(OPTION_TIER) | BIT(OPTION_COMMANDS) | BIT(OPTION_ISSUED_MS))
#define COMMON (BIT(OPTION_JSON) | BIT(OPTION_VERBOSE))
/* What needs a token while the guard is sealed. */
#define SEALED (COMMON | BIT(OPTION_TOKEN))

static const struct option OPTIONS[] = {
	{ "dir", required_argument, NULL, OPTION_DIR },
	{ "policy", required_argument, NULL, OPTION_POLICY },
	{ "gid", required_argument, NULL, OPTION_GID },
	{ "user", required_argument, NULL, OPTION_USER },
	{ "app", required_argument, NULL, OPTION_APP },
	{ "state", required_argument, NULL, OPTION_STATE },
	{ "keep", no_argument, NULL, OPTION_KEEP },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "verbose", no_argument, NULL, OPTION_VERBOSE },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "ring-deny", required_argument, NULL, OPTION_RING_DENY },
	{ "ring-object", required_argument, NULL, OPTION_RING_OBJECT },
	{ "ring-bulk", required_argument, NULL, OPTION_RING_BULK },
	{ "ring-code", required_argument, NULL, OPTION_RING_CODE },
	{ "mode", required_argument, NULL, OPTION_MODE },
	{ "source", required_argument, NULL, OPTION_SOURCE },
	{ "kind", required_argument, NULL, OPTION_KIND },
	{ "subject", required_argument, NULL, OPTION_SUBJECT },
	{ "tier", required_argument, NULL, OPTION_TIER },
	{ "commands", required_argument, NULL, OPTION_COMMANDS },
	{ "for-ms", required_argument, NULL, OPTION_FOR_MS },
	{ "issued-ms", required_argument, NULL, OPTION_ISSUED_MS },
	{ "id", required_argument, NULL, OPTION_ID },
	{ "author", required_argument, NULL, OPTION_AUTHOR },
	{ "reason", required_argument, NULL, OPTION_REASON },
	{ "token", required_argument, NULL, OPTION_TOKEN },
	{ "boot-policy", required_argument, NULL, OPTION_BOOT_POLICY },
	{ "to", required_argument, NULL, OPTION_TO },
	{},
};

static const struct verb {
	const char *name;
	enum wd_verb verb;
	unsigned int needs;
	unsigned int takes;
} VERBS[] = {
	{ "probe", WD_VERB_PROBE, 0, COMMON },
	{ "load", WD_VERB_LOAD, BIT(OPTION_DIR) | BIT(OPTION_GID),
	  SEALED | LOAD_TAKES | BIT(OPTION_POLICY) | BIT(OPTION_BOOT_POLICY) },
	{ "unload", WD_VERB_UNLOAD, BIT(OPTION_DIR), SEALED },
	{ "run", WD_VERB_RUN,
	  LOAD_NEEDS | BIT(OPTION_USER) | BIT(OPTION_APP) | BIT(OPTION_STATE),
	  SEALED | LOAD_TAKES | BIT(OPTION_KEEP) },
	{ "apply", WD_VERB_APPLY, LOAD_NEEDS | BIT(OPTION_SOURCE), SEALED },
	{ "stop", WD_VERB_STOP, BIT(OPTION_DIR), SEALED },
	{ "raise", WD_VERB_RAISE, CLEAR_NEEDS | BIT(OPTION_FOR_MS), SEALED | RAISE_TAKES },
	{ "clear", WD_VERB_CLEAR, CLEAR_NEEDS, COMMON | BIT(OPTION_ISSUED_MS) },
	{ "raises", WD_VERB_RAISES, BIT(OPTION_DIR), COMMON },
	{ "watch", WD_VERB_WATCH, BIT(OPTION_DIR), COMMON },
	{ "hand-over", WD_VERB_HAND_OVER, BIT(OPTION_DIR) | BIT(OPTION_TO), SEALED },
	{ "seal", WD_VERB_SEAL, BIT(OPTION_DIR) | BIT(OPTION_APP), COMMON },
	{ "unseal", WD_VERB_UNSEAL, BIT(OPTION_DIR), SEALED },
	{ "break-glass", WD_VERB_GLASS, BIT(OPTION_DIR) | BIT(OPTION_TOKEN), COMMON },
};

static int usage(const char *what, const char *where)
{
	return wd_fail(EX_USAGE, what, where, 0, "see warden-load --help");
}

static int wrong_value(const struct option *option, const char *value)
{
	const char *advice = "needs a number";

	if (option->val == OPTION_MODE)
		advice = "needs auto, lsm or audit";
	else if (option->val == OPTION_KIND)
		advice = "needs pin, break-glass or observe";
	else if (option->val == OPTION_SUBJECT)
		advice = "needs auid:N, loader:N or uid:N, up to 8 times";
	else if (option->val == OPTION_TIER)
		advice = "needs a tier, 0 to 4";
	else if (option->val == OPTION_COMMANDS)
		advice = "needs 16 hexadecimal digits";
	else if (option->val == OPTION_ID || option->val == OPTION_AUTHOR ||
		 option->val == OPTION_REASON)
		advice = "is empty, too long, or has control characters";
	else if (option->val == OPTION_FOR_MS || option->val == OPTION_ISSUED_MS)
		advice = "needs a number of milliseconds";
	else if (option->val >= OPTION_RING_DENY)
		advice = "needs a power of two, from a page to 256 MiB";
	else if (option->val != OPTION_GID)
		advice = "needs an absolute path";
	return wd_fail(EX_USAGE, option->name, value, 0, advice);
}

static int read_u32(const char *text, __u32 *ret_number)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || number > UINT32_MAX)
		return -EINVAL;
	*ret_number = (__u32)number;
	return 0;
}

static int read_ring(const char *text, __u32 *ret_bytes)
{
	__u32 bytes, page = (__u32)sysconf(_SC_PAGESIZE);

	if (read_u32(text, &bytes) || bytes < page || bytes > RING_MAX_BYTES ||
	    (bytes & (bytes - 1)))
		return -EINVAL;
	*ret_bytes = bytes;
	return 0;
}

/* A directory must be absolute: a service starts elsewhere than its caller. */
static int read_path(const char *text, const char **ret_path)
{
	if (text[0] != '/' || strlen(text) > PATH_MAX - 256)
		return -EINVAL;
	*ret_path = text;
	return 0;
}

static int read_mode(const char *text, __u32 *ret_mode)
{
	static const struct {
		const char *name;
		__u32 mode;
	} modes[] = {
		{ "auto", 0 },
		{ "lsm", WD_MODE_LSM },
		{ "fmod_ret", WD_MODE_FMOD_RET },
		{ "audit", WD_MODE_AUDIT },
		{ "signal", WD_MODE_SIGNAL },
	};

	for (size_t i = 0; i < WD_COUNT(modes); i++) {
		if (strcmp(text, modes[i].name))
			continue;
		*ret_mode = modes[i].mode;
		return 0;
	}
	return -EINVAL;
}

static int read_subject(const char *text, struct wd_request *request)
{
	struct wd_subject *subject = &request->subjects[request->subjects_count];
	const char *colon = strchr(text, ':');
	char kind[8] = "";

	if (!colon || colon - text >= (long)sizeof(kind) ||
	    request->subjects_count == WD_RAISE_SUBJECTS)
		return -EINVAL;
	memcpy(kind, text, colon - text);
	subject->kind = wd_subject_kind(kind);
	if (!subject->kind || read_u32(colon + 1, &subject->id))
		return -EINVAL;
	request->subjects_count++;
	return 0;
}

static int read_ms(const char *text, __u64 *ret_ms)
{
	size_t len = strlen(text);

	if (len == 0 || len > 16 || strspn(text, "0123456789") != len)
		return -EINVAL;
	*ret_ms = strtoull(text, NULL, 10);
	return 0;
}

static int read_text(const char *text, char *ret_text, size_t room)
{
	size_t len = strlen(text);

	if (len == 0 || len >= room)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			return -EINVAL;
	memcpy(ret_text, text, len + 1);
	return 0;
}

static int read_commands(const char *text, __u64 *ret_commands)
{
	if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
		return -EINVAL;
	*ret_commands = strtoull(text, NULL, 16);
	return 0;
}

/* The options of `raise` and `clear`. */
static int read_request(int option, const char *text, struct wd_request *request)
{
	switch (option) {
	case OPTION_KIND:
		request->kind = wd_raise_kind(text);
		return request->kind ? 0 : -EINVAL;
	case OPTION_SUBJECT:
		return read_subject(text, request);
	case OPTION_TIER:
		request->has_tier = true;
		return read_u32(text, &request->tier) || request->tier > WD_TIER_TRUSTED ? -EINVAL :
											   0;
	case OPTION_COMMANDS:
		return read_commands(text, &request->commands);
	case OPTION_FOR_MS:
		return read_ms(text, &request->for_ms);
	case OPTION_ISSUED_MS:
		return read_ms(text, &request->issued_ms);
	case OPTION_ID:
		return read_text(text, request->id, sizeof(request->id));
	case OPTION_AUTHOR:
		return read_text(text, request->author, sizeof(request->author));
	default:
		return read_text(text, request->reason, sizeof(request->reason));
	}
}

static int read_option(int option, const char *text, struct wd_options *options)
{
	switch (option) {
	case OPTION_DIR:
		return read_path(text, &options->dir);
	case OPTION_APP:
		return read_path(text, &options->app);
	case OPTION_STATE:
		return read_path(text, &options->state);
	case OPTION_POLICY:
		options->policy = text;
		return 0;
	case OPTION_USER:
		options->user = text;
		return 0;
	case OPTION_GID:
		options->has_gid = true;
		return read_u32(text, &options->gid);
	case OPTION_MODE:
		return read_mode(text, &options->mode);
	case OPTION_SOURCE:
		return read_path(text, &options->source);
	case OPTION_BOOT_POLICY:
		return read_path(text, &options->boot_policy);
	case OPTION_TO:
		return read_path(text, &options->to);
	case OPTION_TOKEN:
		options->token = text;
		return 0;
	case OPTION_KEEP:
		options->keep = true;
		return 0;
	case OPTION_JSON:
		options->json = true;
		return 0;
	case OPTION_VERBOSE:
		options->verbose = true;
		return 0;
	default:
		if (option < OPTION_RING_DENY)
			return read_request(option, text, &options->request);
		return read_ring(text, &options->ring_bytes[option - OPTION_RING_DENY]);
	}
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; name && i < WD_COUNT(VERBS); i++)
		if (!strcmp(name, VERBS[i].name))
			return &VERBS[i];
	return NULL;
}

static int check_options(const struct verb *verb, unsigned int given)
{
	for (const struct option *option = OPTIONS; option->name; option++) {
		unsigned int bit = BIT(option->val);

		if (verb->needs & bit && !(given & bit))
			return usage("missing option", option->name);
		if (given & bit && !((verb->needs | verb->takes) & bit))
			return usage("option has no meaning here", option->name);
	}
	return EX_OK;
}

static int check_command(int argc, char **argv, struct wd_options *options)
{
	if (options->verb != WD_VERB_RUN)
		return optind < argc ? usage("unexpected argument", argv[optind]) : EX_OK;
	if (optind >= argc)
		return usage("missing command", "run");
	options->command = argv + optind;
	return EX_OK;
}

int wd_options_read(int argc, char **argv, struct wd_options *ret_options)
{
	const struct verb *verb = find_verb(argc > 1 ? argv[1] : NULL);
	unsigned int given = 0;
	int option, index, code;

	memset(ret_options, 0, sizeof(*ret_options));
	ret_options->request.commands = WD_ALL_COMMANDS;
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))) {
		fputs(WD_HELP, stdout);
		return -1;
	}
	if (!verb)
		return usage(argc > 1 ? "unknown verb" : "missing verb", argc > 1 ? argv[1] : "");
	ret_options->verb = verb->verb;
	opterr = 0;
	optind = 2;
	while ((option = getopt_long(argc, argv, "+", OPTIONS, &index)) != -1) {
		if (option == OPTION_HELP) {
			fputs(WD_HELP, stdout);
			return -1;
		}
		if (option == '?')
			return usage("unknown option, or without its value", argv[optind - 1]);
		if (read_option(option, optarg, ret_options))
			return wrong_value(&OPTIONS[index], optarg);
		given |= BIT(option);
	}
	code = check_options(verb, given);
	if (!code && verb->verb == WD_VERB_LOAD &&
	    !(given & BIT(OPTION_POLICY)) == !(given & BIT(OPTION_BOOT_POLICY)))
		code = usage("needs one", "policy or boot-policy");
	return code ? code : check_command(argc, argv, ret_options);
}
