import { DEFAULT_LIMIT } from '#log';
import { openMemoryStore, type Snapshot, type Space, type Store, scanAll } from '#state';
import { FOLD_POSITION, Fold } from './fold.ts';
import type { OpenKeys } from './records.ts';

const PAGE = 1000;
const PARTITION = { topic: 'bpf.events', partition: 0 } as const;

/** The spaces that the fold alone writes: what a replay must reproduce byte by byte. */
export const FOLD_SPACES: readonly Space[] = ['trust', 'mark', 'due', 'control'];

/** A difference between two states: null where one has nothing. */
export interface Difference {
  readonly space: Space;
  readonly lane: number;
  readonly key: string;
  readonly found: string | null;
  readonly expected: string | null;
}

/**
 * Folds the log again, from a snapshot or from its beginning, into memory, up to where the live
 * fold stands. `onProgress` gets the next offset after each batch.
 */
export async function replay(
  store: Store,
  options: { snapshot: Snapshot | null; keys: OpenKeys; onProgress?: (next: number) => void },
): Promise<Store> {
  const memory = await openMemoryStore();
  const { snapshot } = options;
  if (snapshot !== null) await loadSnapshot(store, snapshot, memory);
  const fold = new Fold({ state: memory, keys: options.keys });
  const end = Number((await store.position(FOLD_POSITION)) ?? 0n);
  let next = snapshot?.next ?? 0;
  while (next < end) {
    const limit = { ...DEFAULT_LIMIT, records: Math.min(DEFAULT_LIMIT.records, end - next) };
    const records = await store.log.read(PARTITION, next, limit);
    const folded = await fold.apply(records);
    next = (records.at(-1)?.offset ?? end - 1) + 1;
    const position = [{ source: FOLD_POSITION, next: BigInt(next) }];
    await memory.commit({ outputs: [], state: folded.state, position });
    fold.committed();
    options.onProgress?.(next);
  }
  return memory;
}

async function loadSnapshot(store: Store, snapshot: Snapshot, memory: Store): Promise<void> {
  let after: { space: Space; lane: number; key: string } | undefined;
  for (;;) {
    const page = await store.snapshotEntries(snapshot.id, {
      limit: PAGE,
      ...(after && { after }),
    });
    if (page.length === 0) return;
    await memory.commit({ outputs: [], state: page, position: [] });
    after = page.at(-1);
  }
}

/** The first `limit` differences between two stores in what the fold writes. */
export async function compareStates(found: Store, expected: Store, limit = 10) {
  const differences: Difference[] = [];
  for (const space of FOLD_SPACES) {
    const left = await collect(found, space);
    const right = await collect(expected, space);
    for (const id of new Set([...left.keys(), ...right.keys()])) {
      if (left.get(id) === right.get(id)) continue;
      const [lane, ...key] = id.split('/');
      differences.push({
        space,
        lane: Number(lane),
        key: key.join('/'),
        found: left.get(id) ?? null,
        expected: right.get(id) ?? null,
      });
      if (differences.length >= limit) return differences;
    }
  }
  return differences;
}

async function collect(store: Store, space: Space): Promise<Map<string, string>> {
  const values = new Map<string, string>();
  for await (const { lane, key, value } of scanAll(store, space)) {
    values.set(`${lane}/${key}`, Buffer.from(value).toString('base64'));
  }
  return values;
}
