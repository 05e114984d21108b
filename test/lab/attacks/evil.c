// SPDX-License-Identifier: Apache-2.0
/* A library that does what only the agent may, in whoever is made to load it. */
#include "agent.h"

__attribute__((constructor)) static void act(void)
{
	const char *what = getenv("LAB_EVIL");

	if (!what)
		return;
	unsetenv("LAB_EVIL");
	/* In the guard's own loader: whether it may still do what nobody else may. */
	if (!strcmp(what, "guard"))
		_exit(!forbidden_runs());
	_exit(!acts_as_agent());
}
