// SPDX-License-Identifier: Apache-2.0
/* Family hidden: the forbidden program, brought in where a guard might not look. */
#include "lab.h"

#include <pthread.h>
#include <sys/mman.h>

static struct outcome plain(void)
{
	return forbidden_runs() ? gained("load") : failed("load");
}

const struct attack hidden_attacks[] = {
	{ "load-plain", plain },
	{},
};
