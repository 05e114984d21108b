/* SPDX-License-Identifier: Apache-2.0 */
/* How long a call takes in the round that nobody disturbed. */
#ifndef WARDEN_BEST_H
#define WARDEN_BEST_H

#include <time.h>

static double now_ns(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1e9 + at.tv_nsec;
}

/* ns per call, the least of `rounds` of `calls` each. */
static double best(void (*call)(void), int rounds, int calls)
{
	double least = 1e18;

	call();
	for (int round = 0; round < rounds; round++) {
		const double begin = now_ns();
		double each;

		for (int i = 0; i < calls; i++)
			call();
		each = (now_ns() - begin) / calls;
		if (each < least)
			least = each;
	}
	return least;
}

#endif /* WARDEN_BEST_H */
