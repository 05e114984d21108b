import assert from 'node:assert/strict';
import { DEFAULT_LIMIT, type LogRecord, TOPICS } from '#log';
import type { Entry, Space, Store } from '#state';

const EVENTS = { topic: 'bpf.events', partition: 0 } as const;
const SPACES: readonly Space[] = ['trust', 'mark', 'due', 'control', 'object', 'lane', 'counter'];
const PAGE = 100_000;

async function recordsOf(store: Store, topic: (typeof TOPICS)[number]): Promise<LogRecord[]> {
  const source = { topic, partition: 0 };
  const records: LogRecord[] = [];
  let from = await store.log.start(source);
  for (;;) {
    const page = await store.log.read(source, from, DEFAULT_LIMIT);
    if (page.length === 0) return records;
    records.push(...page);
    from += page.length;
  }
}

/** All that a reader of a store can see, as one text. */
export async function contentOf(store: Store, positions: readonly string[]): Promise<string> {
  const parts: unknown[] = [];
  const hex = (value: Uint8Array) => Buffer.from(value).toString('hex');
  for (const topic of TOPICS) {
    const records = await recordsOf(store, topic);
    parts.push(topic, await store.log.start({ topic, partition: 0 }));
    parts.push(records.map((record) => ({ ...record, value: hex(record.value) })));
  }
  for (const space of [...SPACES, 'host' as const]) {
    const entries = await store.scan(space, { limit: PAGE });
    parts.push(
      space,
      entries.map((entry) => ({ ...entry, value: hex(entry.value) })),
    );
  }
  for (const source of positions) parts.push(source, String(await store.position(source)));
  for (const snapshot of await store.snapshots()) {
    const entries = await store.snapshotEntries(snapshot.id, { limit: PAGE });
    parts.push(
      snapshot,
      entries.map((entry) => ({ ...entry, value: hex(entry.value) })),
    );
  }
  return JSON.stringify(parts);
}

interface Written {
  readonly n: number;
  readonly index: number;
  readonly count: number;
}

/** Each commit is there with all its outputs, in order; the first may be trimmed in its middle. */
function checkWhole(records: readonly LogRecord[], start: number): number {
  let expected: Written | null = null;
  let last = -1;
  for (const record of records) {
    const { n, index, count } = JSON.parse(Buffer.from(record.value).toString()) as Written;
    const first = expected === null;
    if (!(first && start > 0)) {
      const at: Written = expected ?? { n: 0, index: 0, count };
      const wanted = at.index === 0 ? { n: at.n, index: 0 } : { n: at.n, index: at.index };
      assert.deepEqual({ n, index }, wanted, `offset ${record.offset}`);
    }
    expected =
      index + 1 === count ? { n: n + 1, index: 0, count: 0 } : { n, index: index + 1, count };
    last = n;
  }
  assert.ok(expected === null || expected.index === 0, `commit ${last} is there in part`);
  return last;
}

function id({ lane, key }: { lane: number; key: string }): string {
  return `${lane}/${key}`;
}

function textsOf(entries: readonly Entry[]): Map<string, string> {
  return new Map(entries.map((entry) => [id(entry), Buffer.from(entry.value).toString()]));
}

function foldInto(state: Map<string, string>, records: readonly LogRecord[]): Map<string, string> {
  const next = new Map(state);
  for (const record of records) next.set(id(record), Buffer.from(record.value).toString());
  return next;
}

/**
 * Checks what `store-writer.ts` left behind: offsets dense, commits whole, state and snapshots
 * equal to the fold of the outputs. Returns the number of the last commit, -1 if there is none.
 */
export async function checkTruth(store: Store): Promise<number> {
  const start = await store.log.start(EVENTS);
  const end = await store.log.end(EVENTS);
  const records = await recordsOf(store, 'bpf.events');
  assert.deepEqual(
    records.map(({ offset }) => offset),
    Array.from({ length: end - start }, (_, n) => start + n),
  );
  const last = checkWhole(records, start);
  const enriched = await recordsOf(store, 'bpf.enriched');
  if (enriched.length > 0) checkWhole(enriched, enriched[0]?.offset ?? 0);
  assert.equal(await store.position('fold'), end === 0 ? null : BigInt(end));

  const snapshots = await store.snapshots();
  let folded = new Map<string, string>();
  let at = start;
  if (start > 0)
    assert.ok(snapshots[0] && snapshots[0].next >= start, 'trimmed without a snapshot');
  for (const [n, { id: snapshot, next }] of snapshots.entries()) {
    const entries = textsOf(await store.snapshotEntries(snapshot, { limit: PAGE }));
    if (n === 0 && start > 0) folded = entries;
    else folded = foldInto(folded, records.slice(at - start, next - start));
    assert.deepEqual(entries, folded, `snapshot ${snapshot}`);
    at = next;
  }
  folded = foldInto(folded, records.slice(at - start));
  assert.deepEqual(textsOf(await store.scan('trust', { limit: PAGE })), folded);
  const commit = await store.get('host', 0, 'commit');
  const committed = commit === null ? -1 : Number(Buffer.from(commit).toString());
  // A trim behind a snapshot of everything leaves no record that says which commit was the last.
  if (records.length > 0 || start === 0) assert.equal(committed, last);
  return committed;
}
