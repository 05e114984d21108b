import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openSqliteStore } from '#state';
import { dose, seed } from '#testkit';
import { Random } from '../contract/random.ts';
import { checkTruth } from './store-truth.ts';

const WRITER = fileURLToPath(new URL('./store-writer.ts', import.meta.url));
const KILLS = dose === 'full' ? 200 : 12;
const directory = mkdtempSync(join(tmpdir(), 'warden-kill-'));

/** Starts a writer; `acknowledged` is the last commit that it said was done. */
function startWriter(file: string, writerSeed: number) {
  const child: ChildProcess = spawn(process.execPath, [WRITER, file, `${writerSeed}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said = { opened: false, acknowledged: -1 };
  let rest = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      said.opened = true;
      if (line !== 'open') said.acknowledged = Number(line);
    }
  });
  return { child, said };
}

describe('kill -9 in the middle of commits, snapshots and trims', () => {
  after(() => rmSync(directory, { recursive: true, force: true }));

  it(`leaves whole commits, and all that were acknowledged, ${KILLS} times`, async (t) => {
    t.diagnostic(`WARDEN_SEED=${seed}`);
    const random = new Random(seed);
    const file = join(directory, 'log.db');
    let last = -1;
    for (let kill = 0; kill < KILLS; kill++) {
      const { child, said } = startWriter(file, random.below(2 ** 31));
      const exited = once(child, 'exit');
      while (!said.opened) await Promise.race([sleep(2), exited]);
      await sleep(random.below(150));
      child.kill('SIGKILL');
      const [code, signal] = await exited;
      assert.equal(signal, 'SIGKILL', `the writer ended by itself: ${code}`);
      const store = openSqliteStore(file);
      const found = await checkTruth(store);
      await store.close();
      assert.ok(found >= said.acknowledged, `${said.acknowledged} acknowledged, ${found} found`);
      assert.ok(found >= last, 'a commit was lost that an earlier start had seen');
      last = found;
    }
    t.diagnostic(`${last + 1} commits`);
    assert.ok(last > KILLS);
  });

  it('lets a reader follow a writer that is killed', async () => {
    const file = join(directory, 'followed.db');
    openSqliteStore(file).close();
    const reader = openSqliteStore(file, { readOnly: true });
    const { child, said } = startWriter(file, seed);
    const exited = once(child, 'exit');
    while (said.acknowledged < 30) await Promise.race([sleep(2), exited]);
    child.kill('SIGKILL');
    await exited;
    assert.ok((await checkTruth(reader)) >= said.acknowledged);
    await reader.close();
  });
});
