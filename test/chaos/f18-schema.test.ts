import assert from 'node:assert/strict';
import { test } from 'node:test';
import avsc from 'avsc';
import { frameMac, genesis, MAC_BYTES, sealFrames } from '#chain';
import {
  crc64Avro,
  decode,
  type Event,
  HEADER_BYTES,
  incarnation,
  lane as laneNumber,
  laneOf,
  ownSchemas,
  type Records,
  type SchemaVersion,
} from '#event';
import { IdempotentWriter, type Outgoing, partitionOf, publishSchemas } from '#log/kafka';
import { assertView, enriched, enrichedIds, foldedOnce, recordsOf } from '../fleet/truth.ts';
import { eventOf, HOST, HOST_KEY, KEYS, PRINCIPALS, QUIET } from '../pipeline/live-fold.ts';
import { Bed, centre } from './bed.ts';

const PARTITIONS = 4;
const EVENTS = 120;

interface Field {
  readonly name: string;
  readonly type: string;
  readonly default: string;
}

/** A product to come: a record as ours, with one field more where it is told. */
class Next<N extends keyof Records> {
  readonly version: SchemaVersion;
  private readonly type: avsc.Type;
  private readonly header = Buffer.alloc(HEADER_BYTES);
  private readonly field: string;

  constructor(name: N, field: Field, place: (count: number) => number) {
    const ours = ownSchemas().find((one) => one.name === name);
    const schema = JSON.parse(ours?.text ?? '') as { fields: unknown[] };
    schema.fields.splice(place(schema.fields.length), 0, field);
    this.type = avsc.Type.forSchema(schema as unknown as avsc.Schema);
    this.field = field.name;
    const text = JSON.stringify(this.type.schema());
    const fingerprint = crc64Avro(Buffer.from(text));
    this.header.writeUInt16BE(0xc301);
    this.header.writeBigUInt64LE(fingerprint, 2);
    this.version = { name, fingerprint: fingerprint.toString(16).padStart(16, '0'), text };
  }

  encode(value: Records[N], more: string): Buffer {
    const whole = { ...(value as object), [this.field]: more };
    return Buffer.concat([this.header, this.type.toBuffer(whole)]);
  }
}

const NEXT_EVENT = new Next(
  'Event',
  { name: 'container', type: 'string', default: '' },
  (count) => count,
);
// The MAC is a frame's last 32 bytes, in every version: a field comes before it.
const NEXT_FRAME = new Next(
  'Frame',
  { name: 'agent', type: 'string', default: '' },
  (count) => count - 1,
);

/** Frames as a newer product seals them, a chain of their own. */
function newer(events: readonly Event[]): Outgoing[] {
  const life = incarnation('00000000000000dd');
  return [...Map.groupBy(events, ({ principal }) => laneOf(principal))].flatMap(([n, list]) => {
    const chain = { host: HOST, incarnation: life, lane: laneNumber(n) };
    const { frames } = sealFrames({
      ...chain,
      first: 0,
      previous: genesis(chain),
      events: list.map((event) => NEXT_EVENT.encode(event, 'a container')),
      key: HOST_KEY,
    });
    return frames.map((frame): Outgoing => {
      const value = NEXT_FRAME.encode(decode('Frame', frame), 'version n+1');
      value.set(frameMac(value, HOST_KEY), value.length - MAC_BYTES);
      const partition = partitionOf(n, PARTITIONS);
      return { topic: 'bpf.events', partition, lane: n, key: `${n}`, value };
    });
  });
}

const shared = await centre();

test('F18: hosts of a newer product, and back: nothing is left out', async (t) => {
  const bed = await Bed.open(shared);
  const writer = new IdempotentWriter(bed.fleet.client);
  t.after(async () => {
    await writer.close();
    await bed.close();
    await shared.stop();
  });
  await bed.enricher();
  await bed.feed.send(EVENTS);
  await enriched(bed.log, EVENTS);
  // The operator of the newer product says which schemas it writes; then its hosts begin.
  await publishSchemas(bed.fleet.client, [NEXT_EVENT.version, NEXT_FRAME.version]);
  const acts = Array.from({ length: EVENTS }, (_, n) =>
    eventOf({ ...QUIET, who: n % PRINCIPALS.length }, Date.now()),
  );
  await writer.send(newer(acts));
  await enriched(bed.log, 2 * EVENTS);
  await bed.feed.send(EVENTS);
  await enriched(bed.log, 3 * EVENTS);
  const ids = await enrichedIds(bed.log);
  assert.equal(new Set(ids).size, 3 * EVENTS);
  assert.equal(ids.filter((id) => id.includes('/00000000000000dd/')).length, EVENTS);
  const { faults } = await foldedOnce(bed.log, KEYS);
  assert.deepEqual(faults, []);
  assert.deepEqual((await recordsOf(bed.log, 'bpf.dlq')).flat(), [], 'nothing in bpf.dlq');
  const kept = (await recordsOf(bed.log, 'bpf.enriched')).flat().some(({ value }) => {
    const { event } = decode('Enriched', value as Uint8Array);
    return Buffer.from(event).includes('a container');
  });
  assert.ok(kept, "the newer event's own bytes are passed on unchanged");
  // A fleet that was rolled back starts again, and meets what the newer product left.
  await assertView(bed.log, bed.view);
  for (const enricher of [...bed.enrichers]) await bed.end(enricher);
  await bed.enricher();
  await bed.feed.send(EVENTS);
  await enriched(bed.log, 4 * EVENTS);
});
