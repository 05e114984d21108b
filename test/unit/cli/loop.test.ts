import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LogError } from '#log';
import { defaultPolicy } from '#policy';
import { openMemoryStore } from '#state';
import { createLogger } from '#telemetry';
import { Loop, type Parts } from '../../../cli/up/loop.ts';

test('a store that refuses at once is asked with growing pauses, until the signal', async () => {
  const store = openMemoryStore();
  const ended = new AbortController();
  let asked = 0;
  store.position = async () => {
    asked += 1;
    // Without pauses nothing else would ever run.
    if (asked > 50) ended.abort();
    throw new LogError('LOCKED', 'a test');
  };
  const logger = createLogger({ level: 'silent', name: 'test', pretty: false });
  const parts = { store, logger, policy: defaultPolicy() } as unknown as Parts;
  const keys = { hostKeyOf: () => null, control: Buffer.alloc(32) };
  const config = { runDir: '/nonexistent' };
  const running = new Loop({ ...parts, keys, config } as unknown as Parts, ended.signal).run();
  // A commit between lives wakes nobody, and must not shorten the pauses behind it.
  await store.commit({ outputs: [], state: [], position: [] });
  await sleep(350);
  ended.abort();
  await running;
  assert.ok(asked >= 1 && asked <= 3, `asked ${asked} times`);
});
