import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { it } from 'node:test';
import { chainHash, genesis } from '#chain';
import { hostName, incarnation, lane } from '#event';

const chain = {
  host: hostName('web-1'),
  incarnation: incarnation('7d3f9c0011223344'),
  lane: lane(17),
};
const event = Buffer.from('an event');

const GOLDEN_GENESIS = '8308748df92801d8892a24aa1d36ccb422550defbc68a9bbc00764af76e86c4b';
const GOLDEN_FIRST = '0c3570e2f1dd6d5690238a1b4c4decceccc7d4929d8ea6415fe7fc976bfab570';

it('chain hash covers exactly the bytes that its table names', () => {
  const previous = genesis(chain);
  const input = Buffer.concat([
    Buffer.from('bpf-warden/chain/1'),
    Buffer.from([0, 5]),
    Buffer.from('web-1'),
    Buffer.from('7d3f9c0011223344', 'hex'),
    Buffer.from([17]),
    Buffer.from('0000000000000731', 'hex'),
    previous,
    createHash('sha256').update(event).digest(),
  ]);
  const expected = createHash('sha256').update(input).digest();
  assert.deepEqual(chainHash({ ...chain, sequence: 0x731, previous, event }), expected);
});

it('chain hash begins at a genesis of its own', () => {
  const input = Buffer.concat([
    Buffer.from('bpf-warden/genesis/1'),
    Buffer.from([0, 5]),
    Buffer.from('web-1'),
    Buffer.from('7d3f9c001122334411', 'hex'),
  ]);
  assert.deepEqual(genesis(chain), createHash('sha256').update(input).digest());
});

it('chain hash has not changed: stored logs depend on it', () => {
  const first = chainHash({ ...chain, sequence: 0, previous: genesis(chain), event });
  assert.equal(genesis(chain).toString('hex'), GOLDEN_GENESIS);
  assert.equal(first.toString('hex'), GOLDEN_FIRST);
});

it('chain hash changes with each of its parts', () => {
  const base = { ...chain, sequence: 3, previous: genesis(chain), event };
  const others = [
    base,
    { ...base, host: hostName('web-2') },
    { ...base, incarnation: incarnation('7d3f9c0011223345') },
    { ...base, lane: lane(18) },
    { ...base, sequence: 4 },
    { ...base, previous: Buffer.alloc(32) },
    { ...base, event: Buffer.from('an evenu') },
  ];
  const hashes = new Set(others.map((one) => chainHash(one).toString('hex')));
  assert.equal(hashes.size, others.length);
});
