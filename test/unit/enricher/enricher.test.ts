import assert from 'node:assert/strict';
import test from 'node:test';
import { laneOf, type PrincipalKey } from '#event';
import { defaultPolicy } from '#policy';
import { openMemoryStore, scanAll } from '#state';
import { decodeState } from '#trust';
import { Enricher } from '../../../services/enricher/index.ts';
import { KEYS, outputOf, PRINCIPALS, QUIET, START_MS } from '../../pipeline/live-fold.ts';

const BEHIND_MS = 20;
const PIN_MS = 60_000;

test("a pin ends though the log's clock is behind when its timer is due", async () => {
  const clock = { nowMs: START_MS };
  const store = openMemoryStore({ clock: () => clock.nowMs - BEHIND_MS });
  const enricher = await Enricher.open({
    store,
    keys: KEYS,
    policy: defaultPolicy(),
    onFault: (fault) => assert.fail(fault.why),
    onOverride: () => undefined,
    now: () => clock.nowMs,
  });
  const principal = PRINCIPALS[0] as PrincipalKey;
  const overrides = async () => {
    const bytes = await store.get('trust', laneOf(principal), principal);
    return bytes === null ? null : decodeState(bytes).overrides.length;
  };
  const foldAll = async () => {
    while ((await enricher.step()).more);
  };
  const pin = outputOf({ ...QUIET, word: 'pin' }, START_MS);
  await store.commit({ outputs: [pin], state: [], position: [] });
  await foldAll();
  assert.equal(await overrides(), 1);
  clock.nowMs += PIN_MS;
  await foldAll();
  assert.equal(await overrides(), 1, 'not over by the clock of the log');
  assert.ok(enricher.idleMs <= 1000, 'it is looked at again soon');
  clock.nowMs += enricher.idleMs;
  await foldAll();
  assert.equal(await overrides(), 0);
  for await (const { key } of scanAll(store, 'due')) assert.fail(`${key} is still there`);
  clock.nowMs += 1000;
  await foldAll();
  assert.equal(enricher.idleMs, Number.POSITIVE_INFINITY);
});
