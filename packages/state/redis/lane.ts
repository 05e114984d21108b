import { SPACES } from '../limits.ts';
import type { Space, StateChange } from '../port.ts';
import type { MemoryTable } from '../table.ts';

/** Positions lie beside the state, in the lane that they are of. */
const KEPT: readonly Space[] = [...SPACES, 'position' as Space];

/** All entries of a lane, as the changes that make them. */
export function laneOfTable(table: MemoryTable, lane: number): StateChange[] {
  return KEPT.flatMap((space) =>
    table
      .scan(space, { lane, limit: Number.POSITIVE_INFINITY })
      .map(({ key, value }) => ({ space, lane, key, value })),
  );
}
