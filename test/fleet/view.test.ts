import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { StateChange } from '#state';
import { RedisView, ViewError, viewKey } from '#state/redis';
import { RedisServer } from '#testkit/servers';
import { CONTROL } from './servers.ts';

const redis = await RedisServer.start();
const open = () => {
  const settings = { host: '127.0.0.1', port: redis.port, prefix: '', tls: null, user: null };
  return new RedisView(settings, viewKey(CONTROL));
};
const views = [open(), open()] as const;
after(async () => {
  for (const view of views) await view.close();
  await redis.stop();
});

const ENTRIES = 3000;
const keyOf = (n: number) => `uid:${n}@corp`;

/** A lane's whole state, with `word` for every value. */
function stateOf(lane: number, word: string): StateChange[] {
  return Array.from({ length: ENTRIES }, (_, n) => ({
    space: 'trust',
    lane,
    key: keyOf(n),
    value: Buffer.from(`${word} ${n}`),
  }));
}

test('two who fill a lane at once: one of them wins whole, the other hears of it', async () => {
  await Promise.all(views.map((view) => view.ready(5000)));
  for (let lane = 0; lane < 16; lane++) {
    const done = await Promise.allSettled(
      views.map((view, n) =>
        view.fill({ lane, next: 100 + n, changes: stateOf(lane, `from ${n}`) }, 1),
      ),
    );
    const winners = done.flatMap(({ status }, n) => (status === 'fulfilled' ? [n] : []));
    assert.ok(winners.length >= 1);
    for (const one of done) {
      if (one.status === 'rejected') assert.ok(one.reason instanceof ViewError, one.reason);
    }
    const mark = await views[0].mark(lane);
    const winner = (mark?.next ?? 0) - 100;
    assert.ok(winners.includes(winner));
    const fields = Array.from({ length: ENTRIES }, (_, n) => keyOf(n));
    const { values } = await views[0].values(lane, fields);
    const expected = stateOf(lane, `from ${winner}`).map(({ value }) => `${value}`);
    assert.deepEqual(
      values.map((value) => Buffer.from(value ?? []).toString()),
      expected,
    );
  }
});

test('of several changes to an entry in one write the last one counts', async () => {
  const [view] = views;
  const lane = 20;
  await view.fill({ lane, next: 0, changes: [] }, 1);
  const due = (value: Uint8Array | null) =>
    ({ space: 'due', lane, key: '0001 uid:1@corp', value }) as const;
  const trust = (text: string | null) => {
    const value = text === null ? null : Buffer.from(text);
    return { space: 'trust', lane, key: keyOf(1), value } as const;
  };
  const timer = new Uint8Array();
  const changes = [due(timer), due(null), due(timer), trust('a'), trust(null), trust('b')];
  await view.write({ lane, expected: 0, next: 6, changes }, 2);
  assert.deepEqual(await view.timers(lane, null, 10), ['0001 uid:1@corp']);
  const { values } = await view.values(lane, [keyOf(1)]);
  assert.equal(Buffer.from(values[0] ?? []).toString(), 'b');
});
