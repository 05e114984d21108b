// SPDX-License-Identifier: Apache-2.0
/*
 * attack NAME	makes one attack and prints what came of it, as one line of JSON
 *
 * Status 0: it gained something, 1: nothing. `attack forbidden` tries what nobody here may load,
 * `attack write` the program that writes into processes alone, `attack act` what the agent may do,
 * `attack watch` what everybody of good standing may.
 */
#include "agent.h"

static const struct attack *const families[] = {
	hidden_attacks, control_attacks, identity_attacks, disguise_attacks,  around_attacks,
	theft_attacks,	guard_attacks,	 removal_attacks,  blinding_attacks,  possess_attacks,
	namespace_attacks,
};

static const struct attack *attack_named(const char *name)
{
	for (size_t i = 0; i < COUNT(families); i++)
		for (const struct attack *one = families[i]; one->name; one++)
			if (!strcmp(one->name, name))
				return one;
	return NULL;
}

static void say(const char *name, struct outcome outcome)
{
	const char *error = outcome.error ? strerrorname_np(outcome.error) : NULL;

	printf("{\"attack\":\"%s\",\"gained\":%s,\"how\":\"%s\",\"errno\":%s%s%s}\n", name,
	       outcome.gained ? "true" : "false", outcome.how, error ? "\"" : "",
	       error ? error : "null", error ? "\"" : "");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const struct attack *attack;
	struct outcome outcome;

	if (argc >= 2 && !strcmp(argv[1], "forbidden"))
		return !(forbidden_runs() || forbidden_type_loads());
	if (argc == 2 && !strcmp(argv[1], "watch"))
		return !watcher_loads();
	if (argc >= 2 && !strcmp(argv[1], "write"))
		return !forbidden_runs();
	if (argc == 2 && !strcmp(argv[1], "act"))
		return !acts_as_agent();
	attack = argc == 2 ? attack_named(argv[1]) : NULL;
	if (!attack) {
		fprintf(stderr, "usage: attack NAME\n");
		return 64;
	}
	outcome = attack->run();
	say(attack->name, outcome);
	return !outcome.gained;
}
