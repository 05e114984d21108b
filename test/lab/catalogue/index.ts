import type { Attack } from '../types.ts';
import { around } from './around.ts';
import { control } from './control.ts';
import { guard } from './guard.ts';
import { hidden } from './hidden.ts';
import { afterFall, identity } from './identity.ts';
import { namespaces } from './namespaces.ts';
import { theft } from './theft.ts';

/**
 * Every attack: what it gains, and what is expected of the guard. Expectations say what the product
 * promises, not what it does today.
 */
export const CATALOGUE: readonly Attack[] = [
  ...hidden,
  ...control,
  ...identity,
  ...around,
  ...theft,
  ...namespaces,
  ...guard,
  ...afterFall,
];
