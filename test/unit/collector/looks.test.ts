import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Looks } from '../../../services/collector/looks.ts';

const HOUR_MS = 3_600_000;

test('each is due at first, and again after its time', async () => {
  const looks = new Looks({ counters: 20, inventory: HOUR_MS });
  assert.equal(looks.idleMs, 0);
  assert.deepEqual([looks.take('counters'), looks.take('inventory')], [true, true]);
  assert.deepEqual([looks.take('counters'), looks.take('inventory')], [false, false]);
  assert.ok(looks.idleMs > 0 && looks.idleMs <= 20);
  await sleep(25);
  assert.equal(looks.idleMs, 0);
  assert.deepEqual([looks.take('counters'), looks.take('inventory')], [true, false]);
  looks.hurry('inventory');
  assert.equal(looks.take('inventory'), true);
});

test('a clock that is set back stops no look, and one set forward makes none', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 10 * HOUR_MS });
  const looks = new Looks({ counters: 20, inventory: HOUR_MS });
  looks.take('counters');
  looks.take('inventory');
  t.mock.timers.setTime(HOUR_MS);
  await sleep(25);
  assert.equal(looks.take('counters'), true);
  t.mock.timers.setTime(100 * HOUR_MS);
  assert.equal(looks.take('inventory'), false);
});
