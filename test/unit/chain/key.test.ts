import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ChainError, deriveHostKey, newHostKey } from '#chain';
import { hostName } from '#event';

it('host keys are random where there is no fleet', () => {
  assert.equal(newHostKey().length, 32);
  assert.notDeepEqual(newHostKey(), newHostKey());
});

it('host keys are derived from the fleet key, another for each host', () => {
  const fleet = Buffer.alloc(32, 1);
  const web1 = deriveHostKey(fleet, hostName('web-1'));
  assert.equal(web1.length, 32);
  assert.deepEqual(deriveHostKey(fleet, hostName('web-1')), web1);
  assert.notDeepEqual(deriveHostKey(fleet, hostName('web-2')), web1);
  assert.notDeepEqual(deriveHostKey(Buffer.alloc(32, 2), hostName('web-1')), web1);
});

it('host keys must have 32 bytes', () => {
  const derive = () => deriveHostKey(Buffer.alloc(0), hostName('web-1'));
  assert.throws(derive, (error) => error instanceof ChainError && error.code === 'BAD_KEY');
});
