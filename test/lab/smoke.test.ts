import assert from 'node:assert/strict';
import test from 'node:test';
import { runLab } from './index.ts';

/**
 * The short run: attacks that the guard has always refused, with and without it, on one kernel. The
 * whole is `npm run lab`.
 */
const rows = await runLab({
  kernels: ['6.12'],
  settings: ['none', 'enforce'],
  wanted: ({ smoke }) => smoke === true,
});
const under = (wanted: string) => rows.filter(({ setting }) => setting === wanted);

test('without a guard every attack succeeds', () => {
  assert.ok(under('none').length >= 8, 'there are attacks');
  for (const { attack, got, how } of under('none'))
    assert.equal(got, 'allowed', `${attack} ${how}`);
});

test('under enforce every one is refused, and an event says by which rule', () => {
  assert.equal(under('enforce').length, under('none').length);
  for (const { attack, got, how, event } of under('enforce')) {
    assert.equal(got, 'refused', `${attack}: ${how}`);
    assert.match(event ?? '', / deny (tiers|loaders|guard)\./, attack);
  }
});
