import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openSqliteStore } from '#state';
import { ALL, commitOf, EVENTS, output, refused } from '../contract/help.ts';

const directory = mkdtempSync(join(tmpdir(), 'warden-processes-'));

const APPENDER = new URL('./store-appender.ts', import.meta.url);
const LISTENER = new URL('./store-listener.ts', import.meta.url);

/** Starts a program; resolves with its lines when it ended well. */
function run(program: URL, args: string[], onLine = () => {}): Promise<string[]> {
  const script = fileURLToPath(program);
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    onLine();
  });
  return once(child, 'close').then(([code]) => {
    assert.equal(code, 0, script);
    return lines;
  });
}

describe('several processes with one file', () => {
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('make it together, and write one log', async () => {
    const file = join(directory, 'together.db');
    const names = ['a', 'b', 'c', 'd'];
    const commits = 60;
    await Promise.all(names.map((name) => run(APPENDER, [file, name, `${commits}`])));
    const store = openSqliteStore(file);
    const records = await store.log.read(EVENTS, 0, ALL);
    assert.deepEqual(
      records.map(({ offset }) => offset),
      Array.from({ length: names.length * 3 * commits }, (_, n) => n),
    );
    for (const name of names) {
      const mine = records.filter(({ key }) => key.startsWith(`${name}/`)).map(({ key }) => key);
      const expected = Array.from({ length: commits }, (_, i) => i).flatMap((i) =>
        Array.from({ length: 1 + (i % 5) }, () => `${name}/${i}`),
      );
      assert.deepEqual(mine, expected);
      assert.equal(await store.position(name), BigInt(commits - 1));
    }
    for (const [n, { appendedMs }] of records.entries()) {
      assert.ok(appendedMs >= (records[n - 1]?.appendedMs ?? 0), 'time went back');
    }
    await store.close();
  });

  it('answer LOCKED when another holds the file for long, and lose nothing', async () => {
    const file = join(directory, 'locked.db');
    const store = openSqliteStore(file);
    const other = new DatabaseSync(file);
    other.exec('BEGIN IMMEDIATE');
    const commit = commitOf({ outputs: [output('x')] });
    const error = await refused(store.commit(commit), 'LOCKED');
    assert.equal(error.retriable, true);
    assert.equal(await store.log.end(EVENTS), 0);
    other.exec('ROLLBACK');
    other.close();
    assert.deepEqual((await store.commit(commit)).offsets, [0]);
    await store.close();
  });

  it('wake a reader within 50 ms, which does nothing while nothing happens', async (t) => {
    const file = join(directory, 'wake.db');
    const store = openSqliteStore(file);
    const commits = 40;
    const idled = Promise.withResolvers<void>();
    const listening = run(LISTENER, [file, `${commits}`], idled.resolve);
    await Promise.race([idled.promise, listening]);
    for (let n = 0; n < commits; n++) {
      await sleep(7 + ((n * 13) % 40));
      const now = `${performance.timeOrigin + performance.now()}`;
      await store.commit(commitOf({ outputs: [output(now)] }));
    }
    const [idle = 1, ...delays] = (await listening).map(Number);
    const sorted = delays.toSorted((a, b) => a - b);
    const [median = 0, late = 0] = [sorted[commits / 2], sorted[Math.floor(commits * 0.95)]];
    t.diagnostic(`woken after ${median.toFixed(1)} ms (median), ${late.toFixed(1)} ms (95 %)`);
    t.diagnostic(`${(idle * 100).toFixed(2)} % of a core while idle`);
    assert.ok(late < 50, `${late} ms`);
    assert.ok(idle < 0.05, `${idle} of a core while idle`);
    await store.close();
  });
});
