import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { BpfError, Watch } from '#bpf';

/** So long nothing may come of what is not to be told. */
const QUIET_MS = 50;

/** Pipes that can be read and written. */
function pipes(t: TestContext, count: number): number[] {
  const directory = mkdtempSync(join(tmpdir(), 'warden-watch-'));
  const fds = Array.from({ length: count }, (_, n) => {
    const path = join(directory, `${n}`);
    execFileSync('mkfifo', [path]);
    return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  });
  t.after(() => {
    for (const fd of fds) closeSync(fd);
    rmSync(directory, { recursive: true });
  });
  return fds;
}

async function until(holds: () => boolean): Promise<void> {
  for (const endMs = Date.now() + 30_000; !holds(); await sleep(1)) assert.ok(Date.now() < endMs);
}

test('what becomes ready is told once for each time it is asked for', async (t) => {
  const [first = -1, second = -1] = pipes(t, 2);
  let told = 0;
  const watch = new Watch([first, second], () => {
    told += 1;
  });
  t.after(() => watch.close());
  writeSync(first, 'a');
  await sleep(QUIET_MS);
  assert.equal(told, 0, 'nobody has asked yet');
  watch.arm(0b11);
  await until(() => told === 1);
  await sleep(QUIET_MS);
  assert.equal(told, 1, 'nobody has asked again');
  watch.arm(0b10);
  await sleep(QUIET_MS);
  assert.equal(told, 1, 'the first was not asked for');
  writeSync(second, 'b');
  await until(() => told === 2);
  readSync(first, Buffer.alloc(1));
  readSync(second, Buffer.alloc(1));
  watch.arm(0b11);
  await sleep(QUIET_MS);
  assert.equal(told, 2, 'both are empty');
});

test('an fd that is none is an error with a name', () => {
  assert.throws(() => new Watch([1_000_000], () => undefined), BpfError);
});

test('a thread that ends while it watches takes nothing with it', async (t) => {
  const fds = pipes(t, 2);
  const url = new URL('./watch.worker.ts', import.meta.url);
  const worker = new Worker(url, { workerData: fds });
  const heard: string[] = [];
  worker.on('message', (text) => heard.push(text));
  await until(() => heard.includes('asked'));
  writeSync(fds[0] as number, 'a');
  await until(() => heard.includes('told'));
  assert.equal(await worker.terminate(), 1);
});
