import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { Verifier } from '#chain';
import { DEFAULT_LIMIT, LogError, rowCrc } from '#log';
import { openSqliteStore, type Store, setAside } from '#state';
import { dose, seed } from '#testkit';
import { change, commitOf, EVENTS } from '../contract/help.ts';
import { Random } from '../contract/random.ts';
import { buildLog, type Sealed, type Writers } from '../unit/chain/lanes.ts';
import { contentOf } from './store-truth.ts';

const FLIPS = dose === 'full' ? 20_000 : 1000;
const EDITS = dose === 'full' ? 2000 : 150;
const FRAMES = 120;
const directory = mkdtempSync(join(tmpdir(), 'warden-flips-'));
const original = join(directory, 'original.db');
const live = join(directory, 'live.db');
const victim = join(directory, 'victim.db');
const SUFFIXES = ['', '-wal', '-shm'];

/**
 * Commits a log of frames in five parts, with a snapshot between. Gives the contents that were
 * there to be seen, and leaves a copy of the file as it lies while it is open.
 */
async function writeLog(file: string, log: readonly Sealed[]): Promise<string[]> {
  let nowMs = 1_000_000;
  const store = openSqliteStore(file, { clock: () => nowMs });
  const contents = [await contentOf(store, ['fold'])];
  const part = log.length / 5;
  for (let n = 0; n < 5; n++) {
    nowMs += 1000;
    const frames = log.slice(n * part, (n + 1) * part);
    const outputs = frames.map(
      ({ lane, value }) => ({ topic: 'bpf.events', lane, key: `${lane}`, value }) as const,
    );
    const state = frames.map(({ chain, lane }, i) => change(`uid:${i}@corp`, chain, 'trust', lane));
    await store.commit(
      commitOf({ outputs, state, position: [{ source: 'fold', next: BigInt(n) }] }),
    );
    contents.push(await contentOf(store, ['fold']));
    if (n !== 1) continue;
    await store.snapshot('fold');
    contents.push(await contentOf(store, ['fold']));
  }
  copyAll(file, live);
  await store.close();
  return contents;
}

function copyAll(from: string, to: string): void {
  for (const suffix of SUFFIXES) {
    rmSync(to + suffix, { force: true });
    if (suffix !== '-shm' && existsSync(from + suffix)) copyFileSync(from + suffix, to + suffix);
  }
}

/** Flips 1 to 3 bits anywhere in a file. */
function flip(file: string, random: Random): void {
  const bytes = readFileSync(file);
  for (let n = 1 + random.below(3); n > 0; n--) {
    const bit = random.below(bytes.length * 8);
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
  }
  writeFileSync(file, bytes);
}

/**
 * The content of a store, or the code of the error that kept it from being read. What reads well is
 * also written to: damage that nobody reads may be found then, but must not change what was there.
 */
async function outcome(file: string, readOnly: boolean): Promise<string> {
  let store: Store | undefined;
  try {
    store = openSqliteStore(file, { readOnly });
    const content = await contentOf(store, ['fold']);
    if (readOnly) return content;
    const state = [change('more', '1', 'counter')];
    await store.commit(commitOf({ state }));
    await store.commit(commitOf({ state: [change('more', null, 'counter')] }));
    return await contentOf(store, ['fold']);
  } catch (error) {
    assert.ok(error instanceof LogError, `not a LogError: ${(error as Error).stack}`);
    if (error.code === 'INTERNAL') console.log(error.message);
    return error.code;
  } finally {
    await store?.close();
  }
}

/** Errors that a damaged file may give; FOREIGN and NEWER where its header was hit. */
const DAMAGED = ['CORRUPT', 'FOREIGN', 'NEWER', 'CANNOT_OPEN'];

describe('a damaged file', () => {
  let log: Sealed[];
  let writers: Writers;
  let contents: string[];
  before(async () => {
    ({ log, writers } = buildLog(new Random(seed), FRAMES));
    contents = await writeLog(original, log);
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  it(`is found damaged or reads as before, ${FLIPS} times`, async (t) => {
    t.diagnostic(`WARDEN_SEED=${seed}`);
    const random = new Random(seed);
    const counts = new Map<string, number>();
    for (let n = 0; n < FLIPS; n++) {
      copyAll(original, victim);
      flip(victim, random);
      const found = await outcome(victim, n % 2 === 0);
      const same = found === contents.at(-1);
      const what = `flip ${n} of seed ${seed}: ${found.slice(0, 200)}`;
      assert.ok(same || DAMAGED.includes(found), what);
      counts.set(same ? 'unchanged' : found, (counts.get(same ? 'unchanged' : found) ?? 0) + 1);
    }
    t.diagnostic(JSON.stringify(Object.fromEntries(counts)));
    assert.ok((counts.get('CORRUPT') ?? 0) > FLIPS / 4);
  });

  it(`reads as after a whole commit when its -wal is hit, ${FLIPS / 4} times`, async (t) => {
    const random = new Random(seed);
    let shorter = 0;
    for (let n = 0; n < FLIPS / 4; n++) {
      copyAll(live, victim);
      flip(`${victim}-wal`, random);
      const found = await outcome(victim, false);
      const what = `flip ${n} of seed ${seed}: ${found.slice(0, 200)}`;
      assert.ok(contents.includes(found) || DAMAGED.includes(found), what);
      if (found !== contents.at(-1)) shorter += 1;
    }
    t.diagnostic(`${shorter} of them found damaged or lost their last commits`);
  });

  it('is set aside, and a new one begins', async () => {
    copyAll(original, victim);
    writeFileSync(victim, readFileSync(victim).fill(0x55, 0, 4096));
    assert.ok(DAMAGED.includes(await outcome(victim, false)));
    const kept = setAside(victim);
    assert.ok(existsSync(kept));
    const store = openSqliteStore(victim);
    assert.equal(await store.log.end(EVENTS), 0);
    await store.close();
  });

  it(`shows ${EDITS} edits with a right CRC to the verifier, at their offset`, async (t) => {
    t.diagnostic(`WARDEN_SEED=${seed}`);
    const random = new Random(seed);
    for (let n = 0; n < EDITS; n++) {
      copyAll(original, victim);
      const edited = edit(victim, random);
      const store = openSqliteStore(victim, { readOnly: true });
      const found = await firstBad(store, writers);
      assert.equal(found, edited, `edit ${n} of seed ${seed}`);
      await store.close();
    }
  });
});

/**
 * Changes a byte of a frame, or its lane, as somebody would who knows the file but holds no key.
 */
function edit(file: string, random: Random): number {
  const handle = new DatabaseSync(file, { returnArrays: true });
  const offset = random.below(FRAMES);
  const select = 'SELECT lane, key, value, appended_ms FROM log_events WHERE offset = ?';
  const row = handle.prepare(select).get(offset) as unknown;
  let [lane, key, value, ms] = row as [number, string, Uint8Array, number];
  if (random.below(8) === 0) lane = (lane + 1) % 64;
  else {
    value = Uint8Array.from(value);
    const at = random.below(value.length);
    value[at] = (value[at] as number) ^ (1 + random.below(255));
  }
  const crc = rowCrc(`${offset}/${lane}/${ms}/${key}`, value);
  const update = 'UPDATE log_events SET lane = ?, value = ?, crc = ? WHERE offset = ?';
  handle.prepare(update).run(lane, value, crc, offset);
  handle.close();
  return offset;
}

async function firstBad(store: Store, { keyOf }: Writers): Promise<number | null> {
  const verifier = new Verifier({ keyOf });
  for (let from = 0; ; ) {
    const records = await store.log.read(EVENTS, from, DEFAULT_LIMIT);
    if (records.length === 0) return null;
    for (const record of records) {
      const finding = verifier.add(record);
      if (finding !== null) return finding.offset;
    }
    from += records.length;
  }
}
