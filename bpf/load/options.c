/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the command line: each verb says which options it needs and which it takes. */
#include "options.h"

#include "cleanup.h"
#include "say.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#define RING_MAX_BYTES (1U << 28)

static const char HELP[] =
	"warden-load: loads bpf-warden's programs into the kernel, and runs its services\n"
	"\n"
	"  warden-load probe  [--json]\n"
	"  warden-load load   --dir DIR --policy FILE --gid N [--json]\n"
	"  warden-load unload --dir DIR\n"
	"  warden-load run    --dir DIR --policy FILE --user NAME --app DIR --state DIR\n"
	"                     [--keep] [--json] -- COMMAND [ARGUMENT]...\n"
	"\n"
	"  --dir DIR      run-time directory; pins are in DIR/bpf\n"
	"  --policy FILE  compiled policy\n"
	"  --gid N        group that may open the rings\n"
	"  --user NAME    unprivileged user for COMMAND; its group may open the rings\n"
	"  --app DIR      what COMMAND reads; it sees it read-only as DIR/app and starts there\n"
	"  --state DIR    directory that COMMAND may write to; made when missing\n"
	"  --keep         leave the programs attached when COMMAND has stopped\n"
	"  --mode MODE    lsm: sees and refuses; audit: only sees; auto: lsm where it works\n"
	"  --ring-deny, --ring-object, --ring-bulk, --ring-code BYTES\n"
	"                 powers of two, a page to 256 MiB\n"
	"  --verbose      show libbpf's own messages\n"
	"\n"
	"Exit codes: 0 done; 64 usage; 65 policy wrong; 66 policy not readable; 67 no such user;\n"
	"69 already running, or COMMAND can't be executed; 70 COMMAND keeps dying or was killed;\n"
	"71 the system refused; 73 a directory can't be made or used; 74 input or output failed;\n"
	"76 the programs do not really run; 77 no permission; 78 this kernel can't.\n"
	"`run` starts COMMAND again when it crashes or exits with 1 to 63, 75 or above 78; it\n"
	"stops with COMMAND when that exits with 0, and hands on 64 to 78.\n";

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
	OPTION_RING_DENY,
	OPTION_RING_OBJECT,
	OPTION_RING_BULK,
	OPTION_RING_CODE,
};

#define BIT(option) (1U << (option))
#define LOAD_TAKES (BIT(OPTION_MODE) | BIT(OPTION_RING_DENY) | BIT(OPTION_RING_OBJECT) | \
		    BIT(OPTION_RING_BULK) | BIT(OPTION_RING_CODE))
#define LOAD_NEEDS (BIT(OPTION_DIR) | BIT(OPTION_POLICY))
#define COMMON (BIT(OPTION_JSON) | BIT(OPTION_VERBOSE))

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
	{},
};

static const struct verb {
	const char *name;
	enum wd_verb verb;
	unsigned int needs;
	unsigned int takes;
} VERBS[] = {
	{ "probe", WD_VERB_PROBE, 0, COMMON },
	{ "load", WD_VERB_LOAD, LOAD_NEEDS | BIT(OPTION_GID), COMMON | LOAD_TAKES },
	{ "unload", WD_VERB_UNLOAD, BIT(OPTION_DIR), COMMON },
	{ "run", WD_VERB_RUN,
	  LOAD_NEEDS | BIT(OPTION_USER) | BIT(OPTION_APP) | BIT(OPTION_STATE),
	  COMMON | LOAD_TAKES | BIT(OPTION_KEEP) },
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
	} modes[] = { { "auto", 0 }, { "lsm", WD_MODE_LSM }, { "audit", WD_MODE_AUDIT } };

	for (size_t i = 0; i < WD_COUNT(modes); i++) {
		if (strcmp(text, modes[i].name))
			continue;
		*ret_mode = modes[i].mode;
		return 0;
	}
	return -EINVAL;
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
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))) {
		fputs(HELP, stdout);
		return -1;
	}
	if (!verb)
		return usage(argc > 1 ? "unknown verb" : "missing verb", argc > 1 ? argv[1] : "");
	ret_options->verb = verb->verb;
	opterr = 0;
	optind = 2;
	while ((option = getopt_long(argc, argv, "+", OPTIONS, &index)) != -1) {
		if (option == OPTION_HELP) {
			fputs(HELP, stdout);
			return -1;
		}
		if (option == '?')
			return usage("unknown option, or without its value", argv[optind - 1]);
		if (read_option(option, optarg, ret_options))
			return wrong_value(&OPTIONS[index], optarg);
		given |= BIT(option);
	}
	code = check_options(verb, given);
	return code ? code : check_command(argc, argv, ret_options);
}
