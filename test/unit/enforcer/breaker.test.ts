import assert from 'node:assert/strict';
import test from 'node:test';
import { Breaker } from '../../../services/enforcer/breaker.ts';

const WITHIN_MS = 60_000;
const HOUR_MS = 3_600_000;

test('a clock that is set back holds lowerings back no longer than the window', async () => {
  const limits = { least: 1, sharePermille: 1, hostsPermille: 1000, withinMs: WITHIN_MS };
  const breaker = new Breaker(limits);
  const admits = (who: string, nowMs: number) =>
    breaker.admits(who, nowMs, async () => ({ principals: 10, hosts: 1 }));
  assert.equal(await admits('uid:1@web-1', 2 * HOUR_MS), true);
  assert.equal(await admits('uid:2@web-1', HOUR_MS), false, 'the first one still counts');
  assert.equal(await admits('uid:2@web-1', HOUR_MS + WITHIN_MS), true);
});
