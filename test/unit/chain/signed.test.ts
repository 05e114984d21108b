import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import test from 'node:test';
import { ChainError, MAX_SIGNED_BYTES, openSigned, SIGNATURE_BYTES, signRecord } from '#chain';
import { checkpoint, heartbeat, KEYS, SIGNERS, stored } from './signers.ts';

const isCode =
  (code: string, words = /./) =>
  (error: unknown) =>
    error instanceof ChainError && error.code === code && words.test(error.message);

test('what a host has signed can be read, and says what it said', () => {
  const said = checkpoint({ 0: 5, 63: 1 });
  const { signature, ...found } = openSigned('Checkpoint', stored('Checkpoint', said), SIGNERS);
  assert.deepEqual(JSON.parse(JSON.stringify(found)), JSON.parse(JSON.stringify(said)));
  assert.equal(signature.length, SIGNATURE_BYTES);
  const beat = openSigned('Heartbeat', stored('Heartbeat', heartbeat()), SIGNERS);
  assert.deepEqual([beat.mode, beat.revision, beat.lost[0]?.count], ['lsm', 7, 2]);
});

test('one flipped bit, wherever it is, is found', () => {
  const good = stored('Checkpoint', checkpoint({ 0: 5, 17: 3 }));
  for (let bit = 0; bit < 8 * good.value.length; bit++) {
    const value = Buffer.from(good.value);
    value[bit >> 3] = (value[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.throws(
      () => openSigned('Checkpoint', { ...good, value }, SIGNERS),
      ChainError,
      `${bit}`,
    );
  }
});

test('every truncation, and any byte behind the end, is refused', () => {
  const good = stored('Heartbeat', heartbeat());
  for (let end = 0; end < good.value.length; end++) {
    const value = good.value.subarray(0, end);
    assert.throws(() => openSigned('Heartbeat', { ...good, value }, SIGNERS), isCode('BAD_RECORD'));
  }
  const longer = Buffer.concat([good.value, Buffer.alloc(1)]);
  const open = (value: Uint8Array | null) => openSigned('Heartbeat', { ...good, value }, SIGNERS);
  assert.throws(() => open(longer), isCode('BAD_RECORD', /TRAILING/));
  assert.throws(() => open(null), isCode('BAD_RECORD', /without a value/));
  assert.throws(() => open(Buffer.alloc(MAX_SIGNED_BYTES + 1)), isCode('BAD_RECORD', /above/));
});

test('a record of another host, by whom it was signed and where it is stored', () => {
  const byOther = stored('Checkpoint', checkpoint({ 0: 5 }), { by: 'web-2' });
  const open = (record: typeof byOther) => openSigned('Checkpoint', record, SIGNERS);
  assert.throws(
    () => open(byOther),
    isCode('WRONG_HOST', /says .* web-1, and web-2 has signed it/),
  );
  const elsewhere = { ...stored('Checkpoint', checkpoint({ 0: 5 })), key: 'web-2' };
  assert.throws(() => open(elsewhere), isCode('WRONG_HOST', /of web-1, stored under another name/));
});

test('a key that is not known, or is no longer valid, signs nothing', () => {
  const record = stored('Checkpoint', checkpoint({ 0: 5 }));
  const until = (endMs: number) => ({
    hosts: SIGNERS.hosts,
    signersOf: (host: string, appendedMs: number) =>
      appendedMs < endMs ? SIGNERS.signersOf(host) : [],
  });
  const { host } = openSigned('Checkpoint', record, until(record.appendedMs + 1));
  assert.equal(host, 'web-1');
  const open = () => openSigned('Checkpoint', record, until(record.appendedMs));
  assert.throws(open, isCode('UNKNOWN_SIGNER', /no key of web-1 was valid/));
});

test('after a rotation both keys sign; a third does not', () => {
  const [first, second] = ['web-1', 'web-2'].map((host) => KEYS[host]);
  const both = { hosts: () => ['web-1'], signersOf: () => [second, first].map(publicOf) };
  for (const by of ['web-1', 'web-2']) {
    openSigned('Checkpoint', stored('Checkpoint', checkpoint({ 0: 5 }), { by }), both);
  }
  const one = { hosts: () => ['web-1'], signersOf: () => [publicOf(second)] };
  const open = () => openSigned('Checkpoint', stored('Checkpoint', checkpoint({ 0: 5 })), one);
  assert.throws(open, isCode('BAD_SIGNATURE'));
});

const publicOf = (key: (typeof KEYS)[string] | undefined) => createPublicKey(key as never);

test("a heartbeat's signature is none of a checkpoint", () => {
  const beat = stored('Heartbeat', heartbeat());
  const open = () => openSigned('Checkpoint', beat as never, SIGNERS);
  assert.throws(open, isCode('BAD_RECORD', /Heartbeat where Checkpoint belongs/));
});

test('heads out of order, empty lanes and long texts are refused, signed or not', () => {
  const heads = [5, 3].map((lane) => ({ lane, sequence: 1, hash: Buffer.alloc(32) }));
  const bad = [
    stored('Checkpoint', checkpoint({}, { heads })),
    stored('Checkpoint', checkpoint({ 64: 1 })),
    stored('Checkpoint', checkpoint({ 1: 0 })),
    stored('Checkpoint', checkpoint({ 1: 1 }, { incarnation: 'x' })),
  ];
  for (const record of bad) {
    assert.throws(() => openSigned('Checkpoint', record, SIGNERS), isCode('BAD_RECORD'));
  }
  const long = stored('Heartbeat', heartbeat({ mode: 'x'.repeat(257) }));
  assert.throws(() => openSigned('Heartbeat', long, SIGNERS), isCode('BAD_RECORD', /OVER_LIMIT/));
  const key = KEYS['web-1'] as (typeof KEYS)[string];
  const many = heartbeat({ capabilities: Array(4000).fill('hooks') });
  assert.throws(() => signRecord('Heartbeat', many, key), isCode('EVENT_SIZE'));
});
