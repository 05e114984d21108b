import { type Model, makeModel } from '#trust';
import { hashPolicy } from './canonical.ts';
import type { Policy } from './policy.ts';
import { contexts, standings } from './standing.ts';

/** The trust model's parameters as a policy sets them. */
export function modelOf(policy: Policy): Model {
  return makeModel({
    policyHash: hashPolicy(policy),
    overrides: new Map(
      policy.signals.map(({ id, points, halfLifeMs, limit }) => [
        id,
        { points, halfLifeMs, ...(limit !== null && { limit }) },
      ]),
    ),
    ...(policy.allow !== null && { allow: policy.allow }),
    ...(policy.hours !== null && { hours: policy.hours }),
    standingOf: standings(policy),
    contextOf: contexts(policy),
  });
}
