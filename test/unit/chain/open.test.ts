import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import {
  ChainError,
  type ChainErrorCode,
  frameMac,
  genesis,
  MAC_BYTES,
  newHostKey,
  openFrame,
  sealFrames,
} from '#chain';
import { encode, type Frame, hostName, incarnation, lane } from '#event';

const key = newHostKey();
const chain = {
  host: hostName('web-1'),
  incarnation: incarnation('7d3f9c0011223344'),
  lane: lane(17),
};
const events = [Buffer.from('one'), Buffer.from('two')];
const sealed = sealFrames({ ...chain, first: 5, previous: genesis(chain), events, key });
const [good] = sealed.frames as [Buffer];

function codeOf(bytes: Uint8Array, keyOf: (host: string) => Uint8Array | null = () => key) {
  try {
    openFrame(bytes, keyOf);
    return null;
  } catch (error) {
    assert.ok(error instanceof ChainError, String(error));
    return error.code;
  }
}

/** What a host could seal that holds its key and means harm. */
function authentic(change: Partial<Frame>): Buffer {
  const frame: Frame = {
    ...chain,
    first: 5,
    previous: genesis(chain),
    events,
    mac: Buffer.alloc(MAC_BYTES),
    ...change,
  };
  const bytes = encode('Frame', frame);
  bytes.set(frameMac(bytes, key), bytes.length - MAC_BYTES);
  return bytes;
}

it('openFrame opens what was sealed', () => {
  const frame = openFrame(good, (host) => (host === 'web-1' ? key : null));
  assert.deepEqual(
    { host: frame.host, incarnation: frame.incarnation, lane: frame.lane },
    { ...chain },
  );
  assert.equal(frame.first, 5);
  assert.deepEqual(
    frame.events.map(({ sequence, bytes }) => [sequence, Buffer.from(bytes).toString()]),
    [
      [5, 'one'],
      [6, 'two'],
    ],
  );
  assert.deepEqual(frame.next, sealed.next);
});

it('openFrame asks for the key of the host that the frame names, and of no other', () => {
  const asked: string[] = [];
  const code = codeOf(good, (host) => {
    asked.push(host);
    return null;
  });
  assert.equal(code, 'UNKNOWN_HOST_KEY');
  assert.deepEqual(asked, ['web-1']);
  assert.equal(
    codeOf(good, () => newHostKey()),
    'BAD_MAC',
  );
  assert.equal(
    codeOf(good, () => Buffer.alloc(0)),
    'BAD_KEY',
  );
});

it('openFrame says whether the same bytes may become good later', () => {
  assert.equal(new ChainError('UNKNOWN_HOST_KEY', '').retriable, true);
  assert.equal(new ChainError('BAD_MAC', '').retriable, false);
  assert.equal(new ChainError('BAD_MAC', '').kind, 'untrusted');
  assert.equal(new ChainError('BAD_FRAME', '').kind, 'malformed');
});

const HOSTILE: readonly (readonly [string, Partial<Frame>])[] = [
  ['no events', { events: [] }],
  ['257 events', { events: Array.from({ length: 257 }, () => Buffer.of(1)) }],
  ['an empty event', { events: [Buffer.alloc(0)] }],
  ['an event above 60 KiB', { events: [Buffer.alloc(60 * 1024 + 1)] }],
  ['a lane above 63', { lane: 64 }],
  ['a negative lane', { lane: -1 }],
  ['a negative sequence', { first: -1 }],
  ['a sequence that ends beyond 2^53', { first: Number.MAX_SAFE_INTEGER - 1 }],
  ['an incarnation in upper case', { incarnation: '7D3F9C0011223344' }],
  ['a host in upper case', { host: 'WEB-1' }],
  ['a host with a path in it', { host: '../web' }],
  ['an empty host', { host: '' }],
  ['a host of 254', { host: 'h'.repeat(254) }],
  ['a host of 20,000', { host: 'h'.repeat(20_000) }],
];
for (const [what, change] of HOSTILE) {
  it(`openFrame refuses ${what}, however authentic`, () => {
    assert.equal(codeOf(authentic(change)), 'BAD_FRAME');
  });
}

it('openFrame refuses other records, and frames above 64 KiB', () => {
  assert.equal(codeOf(Buffer.alloc(0)), 'BAD_FRAME');
  assert.equal(codeOf(good.subarray(0, 12)), 'BAD_FRAME');
  assert.equal(codeOf(Buffer.alloc(64 * 1024 + 1)), 'BAD_FRAME');
  const large = authentic({ events: [Buffer.alloc(40_000), Buffer.alloc(40_000)] });
  assert.equal(codeOf(large), 'BAD_FRAME');
});

it('openFrame gives a typed error for any bytes, and for any end cut off or put on', () => {
  const untrusted: (ChainErrorCode | null)[] = ['BAD_FRAME', 'BAD_MAC', 'UNKNOWN_HOST_KEY'];
  const keyOf = (host: string) => (host === 'web-1' ? key : null);
  const header = good.subarray(0, 10);
  const bytes = fc.uint8Array({ maxLength: 400 });
  const property = fc.property(bytes, fc.nat(good.length - 1), (tail, length) => {
    const tried = [
      tail,
      Buffer.concat([header, tail]),
      good.subarray(0, length),
      Buffer.concat([good, tail, Buffer.of(0)]),
      Buffer.concat([good.subarray(0, length), tail, Buffer.of(0), good.subarray(-32)]),
    ];
    for (const one of tried) {
      if (good.equals(one)) continue;
      assert.ok(untrusted.includes(codeOf(one, keyOf)));
    }
  });
  fc.assert(property, { numRuns: 500 });
});

it('openFrame refuses hostile Avro behind a good MAC', () => {
  const property = fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
    const bytes = Buffer.concat([good.subarray(0, 16), body, Buffer.alloc(MAC_BYTES)]);
    bytes.set(frameMac(bytes, key), bytes.length - MAC_BYTES);
    assert.equal(codeOf(bytes), 'BAD_FRAME');
  });
  fc.assert(property, { numRuns: 500 });
});
