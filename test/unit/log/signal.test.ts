import assert from 'node:assert/strict';
import { once } from 'node:events';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { openSqliteStore, type Store } from '#state';
import { commitOf, output } from '../../contract/help.ts';
import { placeFor } from './place.ts';

/**
 * Resolves with the ms until the next call; rejects after ten seconds. Each wait begins where the
 * asking begins, so the shortest of several is the interval; the longest tells of the machine.
 */
function nextCall(store: Store): Promise<number> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no call')), 10_000);
    const stop = store.onCommit(() => {
      clearTimeout(timer);
      stop();
      resolve(performance.now() - started);
    });
  });
}

it('onCommit tells of commits by another connection of the thread', async () => {
  const file = placeFor('connection');
  const [a, b] = [openSqliteStore(file), openSqliteStore(file)];
  const times: number[] = [];
  for (let n = 0; n < 5; n++) {
    const called = nextCall(a);
    await b.commit(commitOf({ outputs: [output(`${n}`)] }));
    times.push(await called);
  }
  assert.ok(Math.min(...times) < 50, `${times}`);
  await a.close();
  await b.close();
});

it('onCommit tells of commits by another thread, once each', async () => {
  const file = placeFor('thread');
  const store = openSqliteStore(file);
  let calls = 0;
  const path = new URL('./signal.worker.ts', import.meta.url);
  const worker = new Worker(path, { workerData: file });
  await once(worker, 'message');
  const stop = store.onCommit(() => {
    calls += 1;
  });
  const times: number[] = [];
  for (let n = 1; n <= 10; n++) {
    const called = nextCall(store);
    worker.postMessage('x');
    times.push(await called);
    await sleep(5);
  }
  await sleep(60);
  assert.equal(calls, 10);
  assert.ok(Math.min(...times) < 50, `${times}`);
  stop();
  worker.postMessage('end');
  await once(worker, 'exit');
  await store.close();
});

it('onCommit asks for nothing while nobody listens, and keeps no process alive', async () => {
  const store = openSqliteStore(placeFor('quiet'));
  const active = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout');
  const before = active().length;
  store.onCommit(() => undefined)();
  assert.equal(active().length, before);
  await store.close();
});
