import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { it } from 'node:test';
import fc from 'fast-check';
import {
  ChainError,
  genesis,
  MAX_EVENT_BYTES,
  MAX_FRAME_BYTES,
  MAX_FRAME_EVENTS,
  newHostKey,
  openFrame,
  sealFrames,
} from '#chain';
import { decode, hostName, incarnation, lane } from '#event';

const key = newHostKey();
const chain = {
  host: hostName('web-1'),
  incarnation: incarnation('7d3f9c0011223344'),
  lane: lane(17),
};

function seal(events: Uint8Array[], first = 0) {
  return sealFrames({ ...chain, first, previous: genesis(chain), events, key });
}

it('sealFrames seals nothing for nothing', () => {
  const { frames, next } = seal([], 7);
  assert.deepEqual(frames, []);
  assert.deepEqual(next, { sequence: 7, hash: genesis(chain) });
});

it('sealFrames keeps the MAC at the end, over all before it', () => {
  const [frame] = seal([Buffer.from('a'), Buffer.from('b')]).frames;
  assert.ok(frame);
  const mac = createHmac('sha256', key).update(frame.subarray(0, -32)).digest();
  assert.deepEqual(Buffer.from(decode('Frame', frame).mac), mac);
  assert.deepEqual(frame.subarray(-32), mac);
});

it('sealFrames splits at 256 events', () => {
  const events = Array.from({ length: 600 }, (_, n) => Buffer.from(`${n}`));
  const { frames, next } = seal(events);
  const counts = frames.map((frame) => decode('Frame', frame).events.length);
  assert.deepEqual(counts, [MAX_FRAME_EVENTS, MAX_FRAME_EVENTS, 600 - 2 * MAX_FRAME_EVENTS]);
  assert.equal(next.sequence, 600);
});

it('sealFrames takes an event of 60 KiB under the longest host name', () => {
  const host = hostName('h'.repeat(253));
  const events = [Buffer.alloc(MAX_EVENT_BYTES), Buffer.alloc(MAX_EVENT_BYTES)];
  const first = Number.MAX_SAFE_INTEGER - 2;
  const stream = { ...chain, host };
  const previous = genesis(stream);
  const { frames } = sealFrames({ ...stream, first, previous, events, key });
  assert.equal(frames.length, 2);
  for (const frame of frames) assert.ok(frame.length <= MAX_FRAME_BYTES);
  assert.equal(openFrame(frames[1] as Buffer, () => key).first, first + 1);
});

it('sealFrames refuses empty events, larger ones, and bad keys', () => {
  const code = (expected: string) => (error: unknown) =>
    error instanceof ChainError && error.code === expected;
  assert.throws(() => seal([Buffer.alloc(0)]), code('EVENT_SIZE'));
  assert.throws(() => seal([Buffer.alloc(MAX_EVENT_BYTES + 1)]), code('EVENT_SIZE'));
  const options = { ...chain, first: 0, previous: genesis(chain), events: [] };
  assert.throws(() => sealFrames({ ...options, key: Buffer.alloc(16) }), code('BAD_KEY'));
});

it('sealFrames keeps to its limits and loses nothing, whatever the sizes', () => {
  const sizes = fc.array(
    fc.oneof(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: MAX_EVENT_BYTES })),
    { minLength: 1, maxLength: 40 },
  );
  const property = fc.property(sizes, fc.nat(2 ** 40), (lengths, first) => {
    const events = lengths.map((length, n) => Buffer.alloc(length, n));
    const { frames, next } = seal(events, first);
    const opened = frames.map((frame) => openFrame(frame, () => key));
    const found = opened.flatMap((frame) => frame.events);
    assert.deepEqual(
      found.map(({ sequence }) => sequence),
      events.map((_, n) => first + n),
    );
    for (const [n, { bytes }] of found.entries()) {
      assert.equal(Buffer.compare(bytes, events[n] as Buffer), 0);
    }
    for (const frame of frames) assert.ok(frame.length <= MAX_FRAME_BYTES);
    assert.deepEqual(opened.at(-1)?.next, next);
    for (const [n, frame] of opened.slice(1).entries()) {
      assert.deepEqual(Buffer.from(frame.previous), opened[n]?.next.hash);
    }
  });
  fc.assert(property, { numRuns: 50 });
});
