import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { SubjectsMap } from '#bpf';
import { decode, type HostName, LANES, type PrincipalKey, type Records } from '#event';
import { FOLD_SPACES, Fold, type OpenKeys } from '#fold';
import type { LogRecord } from '#log';
import { type FleetTopic, type KafkaLog, type KafkaRecord, partitionOf } from '#log/kafka';
import { defaultPolicy, subjectsOf } from '#policy';
import { openMemoryStore, type Space, scanAll } from '#state';
import type { RedisView } from '#state/redis';
import { waitFor } from '#testkit';
import { TIER_NAMES } from '#trust';
import { KEYS } from '../pipeline/live-fold.ts';

/** How long the last transactions may take to be readable. */
const SETTLE_MS = 60_000;
const PAGE = { records: 10_000, bytes: 8 * 1024 * 1024 };

/** The records of a topic that a read-committed reader sees, page by page. */
async function* pagesOf(log: KafkaLog, topic: FleetTopic) {
  const partitions = await log.partitions(topic);
  for (let partition = 0; partition < partitions; partition++) {
    const place = { topic, partition };
    const end = await log.end(place);
    for (let at = await log.start(place); at < end; ) {
      const { records, next } = await log.readSparse(place, at, PAGE);
      yield { partition, records };
      if (next === at) break;
      at = next;
    }
  }
}

/** All of them, by partition. */
export async function recordsOf(log: KafkaLog, topic: FleetTopic): Promise<KafkaRecord[][]> {
  const partitions = await log.partitions(topic);
  const all = Array.from({ length: partitions }, (): KafkaRecord[] => []);
  for await (const { partition, records } of pagesOf(log, topic)) {
    for (const record of records) all[partition]?.push(record);
  }
  return all;
}

function idOf({ host, incarnation, lane, sequence }: Records['Enriched']): string {
  return `${host}/${incarnation}/${lane}/${sequence}`;
}

/** Ids of the events in `bpf.enriched`, as often as they are there. */
export async function enrichedIds(log: KafkaLog): Promise<string[]> {
  const ids: string[] = [];
  for await (const { records } of pagesOf(log, 'bpf.enriched')) {
    for (const { value } of records) ids.push(idOf(decode('Enriched', value as Uint8Array)));
  }
  return ids;
}

/** Events that are there more than once, with where they are. */
async function twice(log: KafkaLog): Promise<string[]> {
  const places = new Map<string, string[]>();
  for await (const { partition, records } of pagesOf(log, 'bpf.enriched')) {
    for (const { value, offset, appendedMs } of records) {
      const id = idOf(decode('Enriched', value as Uint8Array));
      const place = `${partition}/${offset} at ${new Date(appendedMs).toISOString()}`;
      places.set(id, [...(places.get(id) ?? []), place]);
    }
  }
  const several = [...places].filter(([, list]) => list.length > 1);
  return several.map(([id, list]) => `${id}: ${list.join(', ')}`).slice(0, 50);
}

/** What the changelog says that the state is: the last value of each key. */
async function changelogState(log: KafkaLog): Promise<Map<string, string>> {
  const state = new Map<string, string>();
  for await (const { records } of pagesOf(log, 'bpf.trust')) {
    for (const { key, value } of records) {
      if (value === null) state.delete(key);
      else state.set(key, Buffer.from(value).toString('base64'));
    }
  }
  return state;
}

/** What folding `bpf.events` once, in peace, gives: state, and outputs by topic and partition. */
export async function foldedOnce(log: KafkaLog, keys: OpenKeys) {
  const state = new Map<string, string>();
  const outputs = new Map<string, string[]>();
  const faults: string[] = [];
  const byPartition = await recordsOf(log, 'bpf.events');
  for (const [partition, records] of byPartition.entries()) {
    const memory = openMemoryStore();
    const all = Array.from({ length: LANES }, (_, lane) => lane);
    const lanes = all.filter((lane) => partitionOf(lane, byPartition.length) === partition);
    const fold = new Fold({ state: memory, keys, lanes });
    for (let from = 0; from < records.length; from += 500) {
      const folded = await fold.apply(records.slice(from, from + 500) as LogRecord[]);
      await memory.commit({ outputs: [], state: folded.state, position: [] });
      fold.committed();
      faults.push(...folded.faults.map(({ code }) => code));
      for (const { topic, lane, key, value } of folded.outputs) {
        const list = outputs.get(topic) ?? [];
        outputs.set(topic, list);
        list.push(lineOf({ lane, key, value }));
      }
    }
    for (const space of FOLD_SPACES) await collect(memory, space, state);
    await memory.close();
  }
  return { state, outputs, faults };
}

async function collect(
  store: Parameters<typeof scanAll>[0],
  space: Space,
  into: Map<string, string>,
): Promise<void> {
  for await (const { lane, key, value } of scanAll(store, space)) {
    into.set(`${space}/${lane}/${key}`, Buffer.from(value).toString('base64'));
  }
}

/** A record in a line, its value by its digest: a million of them are to be compared. */
function lineOf({ lane, key, value }: Pick<KafkaRecord, 'lane' | 'key' | 'value'>): string {
  return `${lane} ${key} ${hash('sha256', value ?? Buffer.alloc(0), 'base64')}`;
}

/** The records of a topic as `foldedOnce` gives them: order within each lane counts. */
async function sentTo(log: KafkaLog, topic: FleetTopic): Promise<string[]> {
  const lines: string[] = [];
  for await (const { records } of pagesOf(log, topic)) {
    for (const record of records) lines.push(lineOf(record));
  }
  return lines;
}

function byLane(lines: readonly string[]): Map<string, string[]> {
  return Map.groupBy(lines, (line) => line.split(' ')[0] as string);
}

/**
 * Exactly once: each event once in `bpf.enriched`, and all outputs and the state byte for byte what
 * folding `bpf.events` once gives.
 */
export async function assertFolded(
  log: KafkaLog,
  events: number,
  keys: OpenKeys = KEYS,
): Promise<void> {
  // What is there twice stays there twice; what is missing may be on its way.
  for (const endMs = Date.now() + SETTLE_MS; ; ) {
    try {
      return await compareFolded(log, events, keys);
    } catch (error) {
      if (Date.now() > endMs) throw error;
    }
  }
}

async function compareFolded(log: KafkaLog, events: number, keys: OpenKeys): Promise<void> {
  const ids = await enrichedIds(log);
  if (new Set(ids).size !== ids.length) assert.deepEqual(await twice(log), [], 'events twice');
  assert.equal(ids.length, events);
  const once = await foldedOnce(log, keys);
  const changelog = await changelogState(log);
  assert.deepEqual([...changelog.keys()].sort(), [...once.state.keys()].sort());
  for (const [key, value] of once.state) assert.equal(changelog.get(key), value, key);
  for (const topic of ['bpf.enriched', 'bpf.signals', 'bpf.tiers'] as const) {
    const found = byLane(await sentTo(log, topic));
    const expected = byLane(once.outputs.get(topic) ?? []);
    assert.deepEqual(found, expected, topic);
  }
}

/** What Redis says that the state is: values whose MAC is good, and timers. */
async function viewState(view: RedisView): Promise<Map<string, string>> {
  const state = new Map<string, string>();
  for (let lane = 0; lane < LANES; lane++) {
    const fields = (await view.fields(lane)).filter((field) => !/^[#@]$/.test(field));
    const { values } = await view.values(lane, fields);
    for (const [n, field] of fields.entries()) {
      const [, space = 'trust', key = field] = /^\0([a-z]+)\0(.*)$/s.exec(field) ?? [];
      state.set(`${space}/${lane}/${key}`, Buffer.from(values[n] ?? []).toString('base64'));
    }
    for (const timer of await view.timers(lane, null, 100_000)) {
      state.set(`due/${lane}/${timer}`, '');
    }
  }
  return state;
}

/** Redis has what the changelog says, and nothing else, within `timeoutMs`. */
export async function assertView(log: KafkaLog, view: RedisView): Promise<void> {
  const isEqual = async () => {
    const expected = await changelogState(log);
    const found = await viewState(view).catch(() => null);
    if (found === null || found.size !== expected.size) return false;
    return [...expected].every(([key, value]) => found.get(key) === value);
  };
  await waitFor('a Redis that has what the changelog says', isEqual, 30_000);
}

const KINDS = { auid: 1, loader: 2, uid: 3 } as const;

/** What the log says that a host's kernel is to hold: by subject, its tier and its revision. */
async function heldOf(log: KafkaLog, host: HostName): Promise<Map<string, string>> {
  const { realms, loaders } = defaultPolicy();
  const last = new Map<PrincipalKey, string | null>();
  for (const { key, value, offset } of (await recordsOf(log, 'bpf.tiers')).flat()) {
    const tier = value === null ? null : decode('Tier', value);
    const text = tier === null || tier.default ? null : `${tier.tier} ${tier.pinned} ${offset}`;
    last.set(key as PrincipalKey, text);
  }
  const held = new Map<string, string>();
  for (const [principal, text] of last) {
    if (text === null) continue;
    for (const { kind, id } of subjectsOf(principal, { host, realms, loaders })) {
      held.set(`${KINDS[kind]}/${id}`, text);
    }
  }
  return held;
}

/** The kernel's map of a host is what the log says, and nothing else, within some seconds. */
export async function assertSubjects(
  log: KafkaLog,
  host: HostName,
  maps: { readonly subjects: string },
): Promise<void> {
  const expected = await heldOf(log, host);
  assert.ok(expected.size > 0, 'somebody is lowered');
  const map = new SubjectsMap(maps.subjects);
  const found = () => {
    const entries = map.read().map(({ kind, id, tier, pinned, revision }): [string, string] => {
      return [`${kind}/${id}`, `${TIER_NAMES[tier]} ${pinned} ${revision}`];
    });
    return new Map(entries);
  };
  try {
    await waitFor('a kernel that follows', () => isDeepStrictEqual(found(), expected), SETTLE_MS);
  } catch {
    assert.deepEqual(found(), expected);
  } finally {
    map.close();
  }
}

/** How many records of a topic there may be, markers of transactions among them. */
export async function endOf(log: KafkaLog, topic: FleetTopic): Promise<number> {
  let sum = 0;
  const partitions = await log.partitions(topic);
  for (let partition = 0; partition < partitions; partition++) {
    sum += await log.end({ topic, partition });
  }
  return sum;
}

/** Waits until so many events are in `bpf.enriched`. */
export async function enriched(log: KafkaLog, events: number, timeoutMs = 60_000): Promise<void> {
  let seen = -1;
  const look = async () => {
    const end = await endOf(log, 'bpf.enriched');
    if (end === seen || end < events) return false;
    seen = end;
    return (await enrichedIds(log)).length >= events;
  };
  await waitFor(`${events} events in bpf.enriched`, look, timeoutMs);
}
