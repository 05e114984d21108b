import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import avsc from 'avsc';
import fc from 'fast-check';
import {
  crc64Avro,
  decode,
  decodeTrusted,
  details,
  type Event,
  EventError,
  encode,
  hostName,
  hostPrincipal,
  schemaOf,
} from '#event';

const sample: Event = {
  timeUs: 1_790_000_000_123_456,
  principal: hostPrincipal(hostName('web-1')),
  subject: { kind: 'uid', id: 0 },
  loader: null,
  process: null,
  act: { command: 'PROG_LOAD', via: 'bpf', result: -1, errno: 'EPERM', count: 1 },
  program: null,
  map: { id: 7, type: 'HASH', name: 'flows', owner: null, claimed: false },
  link: null,
  path: null,
  verdict: { decision: 'allow', rule: null, enforced: false, mode: 'audit', by: 'subject' },
  details: details({ b: 2, a: 'x' }),
};

const plain = (value: unknown) => JSON.parse(JSON.stringify(value));

test('an event survives the way through its bytes', () => {
  const bytes = encode('Event', sample);
  assert.equal(schemaOf(bytes), 'Event');
  assert.deepEqual(plain(decode('Event', bytes)), plain(sample));
  assert.deepEqual(plain(decodeTrusted('Event', bytes)), plain(sample));
});

test('details are sorted, so that equal content has equal bytes', () => {
  const other = { ...sample, details: details({ a: 'x', b: 2 }) };
  assert.deepEqual(encode('Event', other), encode('Event', sample));
});

test('the fingerprint is CRC-64-AVRO: values of the specification', () => {
  // Avro 1.12, "Schema Fingerprints": the fingerprint of the empty string is the EMPTY constant.
  assert.equal(crc64Avro(new Uint8Array()), 0xc15d213aa4d7a795n);
  // Known value for the canonical form of the primitive schema "int".
  assert.equal(crc64Avro(Buffer.from('"int"')), 0x7275d51a3f395c8fn);
});

test('every truncation is refused with a typed error', () => {
  const bytes = encode('Event', sample);
  for (let end = 0; end < bytes.length; end++) {
    assert.throws(() => decode('Event', bytes.subarray(0, end)), EventError, `${end}`);
  }
});

test('bytes after the value are refused', () => {
  const bytes = Buffer.concat([encode('Event', sample), Buffer.from([0])]);
  assert.throws(() => decode('Event', bytes), { code: 'TRAILING_BYTES' });
});

test('an array that claims 2^40 items is refused at once', () => {
  const frame = encode('Frame', {
    host: 'h',
    incarnation: '0'.repeat(16),
    lane: 0,
    first: 0,
    previous: Buffer.alloc(32),
    events: [],
    mac: Buffer.alloc(32),
  });
  const end = frame.length - 33;
  const count = avsc.Type.forSchema('long').toBuffer(2 ** 40);
  const hostile = Buffer.concat([frame.subarray(0, end), count]);
  const before = process.hrtime.bigint();
  assert.throws(() => decode('Frame', hostile), EventError);
  assert.ok(process.hrtime.bigint() - before < 100_000_000n);
});

test('random and mutated bytes give an event or a typed error, never anything else', () => {
  const bytes = encode('Event', sample);
  const check = (input: Uint8Array) => {
    try {
      decode('Event', input);
    } catch (error) {
      assert.ok(error instanceof EventError, String(error));
    }
  };
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length), (at, value, cut) => {
      const copy = Buffer.from(bytes);
      copy[at] = value;
      check(copy);
      check(copy.subarray(0, cut));
    }),
    { numRuns: 5000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (random) => {
      check(random);
      check(Buffer.concat([bytes.subarray(0, 10), random]));
    }),
    { numRuns: 2000 },
  );
});

test('each schema file parses, and none is without a reader', () => {
  for (const name of ['event', 'frame', 'enriched', 'tier', 'control', 'signal', 'trust']) {
    const url = new URL(`../../../schemas/${name}.avsc`, import.meta.url);
    assert.ok(avsc.Type.forSchema(JSON.parse(readFileSync(url, 'utf8'))));
  }
});
