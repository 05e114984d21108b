import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { encode, hostName, incarnation } from '#event';
import { seal } from '#fold';
import { LogError } from '#log';
import { IdempotentWriter, KafkaLog, type KafkaRecord, type Outgoing } from '#log/kafka';
import { defaultPolicy } from '#policy';
import { openMemoryStore } from '#state';
import { createLogger } from '#telemetry';
import { dose, waitFor } from '#testkit';
import { Lanes } from '../../services/collector/lanes.ts';
import { FleetEnricher } from '../../services/enricher/fleet.ts';
import { Feed } from '../fleet/feed.ts';
import { freshFleet, servers, viewOf } from '../fleet/servers.ts';
import { assertFolded, enriched, recordsOf } from '../fleet/truth.ts';
import { eventOf, HOST, KEYS, QUIET } from '../pipeline/live-fold.ts';

const real = await servers();
after(() => real.stop());

const PARTITIONS = 4;
const RANDOM = dose === 'full' ? 20_000 : 90;
/** Of what is not to be folded, beside what as many events take that lie behind nothing. */
const POISON_MS = 5000 + Math.floor(RANDOM / 1000) * 1000;
const event = eventOf(QUIET, Date.now());

/** A frame of the given host, sealed with the given key. */
async function frameOf(host: string, key: Buffer, life = '00000000000000bb') {
  const owner = { host: hostName(host), incarnation: incarnation(life), key };
  const lanes = await Lanes.open(openMemoryStore(), owner);
  const [output] = lanes.seal([event]).outputs;
  assert.ok(output);
  return output;
}

function at(lane: number, value: Uint8Array): Outgoing {
  return { topic: 'bpf.events', partition: lane % PARTITIONS, lane, key: `${lane}`, value };
}

/** Records that are not to be folded, with the code that says why. */
async function poison(): Promise<{ code: string; record: Outgoing }[]> {
  const good = await frameOf(HOST, KEYS.hostKeyOf(HOST) as Buffer, '00000000000000cc');
  const forged = await frameOf(HOST, randomBytes(32));
  const stranger = await frameOf('unknown-host', randomBytes(32));
  const flipped = Buffer.from(good.value);
  flipped[flipped.length - 40] = (flipped[flipped.length - 40] ?? 0) ^ 1;
  const unknown = Buffer.from(good.value);
  unknown.fill(0xee, 2, 10);
  const control = { id: '\x1b[2J<script>', lane: 1, kind: 'due', principal: null } as const;
  const body = { timeMs: 0, policyHash: null, policy: null, body: null };
  const hostile = encode('Control', seal('Control', { ...control, ...body }, randomBytes(32)));
  return [
    ...Array.from({ length: RANDOM }, (_, n) => ({
      code: 'NOT_AVRO',
      record: at(n % 64, Buffer.concat([Buffer.of(0), randomBytes((n % 90) * 7 + 20)])),
    })),
    { code: 'TRUNCATED', record: at(2, Buffer.alloc(0)) },
    { code: 'UNKNOWN_SCHEMA', record: at(3, unknown) },
    { code: 'BAD_MAC', record: at(good.lane, flipped) },
    { code: 'BAD_MAC', record: at(forged.lane, forged.value) },
    { code: 'BAD_MAC', record: at(1, hostile) },
    { code: 'UNKNOWN_HOST_KEY', record: at(stranger.lane, stranger.value) },
    { code: 'WRONG_LANE', record: at(good.lane + 1, good.value) },
    { code: 'NOT_AVRO', record: at(5, Buffer.alloc(1_900_000, 1)) },
  ];
}

test('F12, F29: poison and forgeries go to bpf.dlq with the reason, and block nobody', async () => {
  const fleet = await freshFleet(real, { partitions: PARTITIONS });
  const view = viewOf(fleet);
  const log = new KafkaLog(fleet.client);
  const writer = new IdempotentWriter(fleet.client);
  const logger = createLogger({ level: 'silent', name: 'chaos' });
  const enricher = await FleetEnricher.start({
    client: fleet.client,
    view,
    keys: KEYS,
    policy: defaultPolicy(),
    logger,
    now: () => Date.now(),
  });
  const feed = await Feed.open(fleet.client);
  // The first ones wait until the group has a member.
  await folding(feed, log);
  const calmMs = await folding(feed, log);
  const bad = await poison();
  await writer.send(bad.map(({ record }) => record));
  const tookMs = await folding(feed, log);
  assert.ok(tookMs < calmMs + POISON_MS, `a lane was blocked: ${tookMs} ms, not ${calmMs}`);
  await assertFolded(log, feed.events);
  const dead = await waitFor('all in bpf.dlq', async () => {
    const found = (await recordsOf(log, 'bpf.dlq')).flat();
    return found.length >= bad.length && found;
  });
  assertDead(dead, bad);
  // Beyond what a broker takes nothing is sent, and that is said.
  const large = writer.send([at(0, Buffer.alloc(10 * 1024 * 1024))]);
  await assert.rejects(large, (error) => error instanceof LogError && error.code === 'TOO_LARGE');
  await enricher.stop();
  await Promise.all([feed.close(), writer.close(), log.close(), view.close()]);
});

/** How long it takes until events are folded that have just been sent, ms. */
async function folding(feed: Feed, log: KafkaLog): Promise<number> {
  await feed.send(200);
  const startedMs = Date.now();
  await enriched(log, feed.events);
  return Date.now() - startedMs;
}

const said = ({ headers }: KafkaRecord, name: string) => headers[name] ?? '';

function assertDead(dead: readonly KafkaRecord[], bad: Awaited<ReturnType<typeof poison>>): void {
  assert.equal(dead.length, bad.length);
  const codes = (list: readonly string[]) => list.toSorted();
  assert.deepEqual(codes(dead.map((one) => said(one, 'code'))), codes(bad.map(({ code }) => code)));
  const hex = (value: Uint8Array | null) => Buffer.from(value ?? []).toString('hex');
  // What is larger than the dead letters keep is known by its beginning.
  const kept = Math.max(...dead.map(({ value }) => value?.length ?? 0));
  const sent = new Set(bad.map(({ record: { value } }) => hex(value?.subarray(0, kept) ?? null)));
  for (const one of dead) {
    assert.equal(said(one, 'topic'), 'bpf.events');
    assert.ok(said(one, 'reason').length > 0);
    assert.doesNotMatch(said(one, 'reason'), /[\x00-\x1f\x7f]/);
    assert.ok(sent.has(hex(one.value)), 'it is kept as it came');
  }
}
