import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { openKeys } from '#config';
import type { Event } from '#event';
import { defaultPolicyText, type Policy, parsePolicy } from '#policy';
import { openSqliteStore } from '#state';
import { type Placed, place } from '#testkit';
import { Bench, eventOf, type Made, QUIET } from './live-fold.ts';

/** Runs every command of docs/operating/tuning.md, in order, beside a log in which bob fell. */
const ROOT = resolve(import.meta.dirname, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/operating/tuning.md'), 'utf8');
const REALMS = 'realms: [{ name: corp, uids: 10000-59999 }]\n';
/** What is in force when the page begins: the built-in policy, and where bob is bob. */
const POLICY = defaultPolicyText.replace('mode: observe\n', `mode: observe\n${REALMS}`);
const CASES = /^```yaml\n([\s\S]*?)^```$/m.exec(PAGE)?.[1] ?? '';
const DAY_MS = 86_400_000;
const BOB = 4;

const parsed = parsePolicy(POLICY, 'test');
assert.ok(parsed.ok);
const policy: Policy = parsed.policy;

let at: Placed;
let bench: Bench;

const quiet: Made = { ...QUIET, who: BOB, command: 'PROG_LOAD' };

function demo(nowMs: number): Event {
  const event = eventOf(quiet, nowMs);
  const program = {
    id: null,
    type: 'CGROUP_SKB',
    name: 'demo',
    license: 'GPL',
    signature: 'none',
    instructions: 12,
    sha256: null,
    tag: null,
    attach: null,
    helpers: ['probe_write_user'],
    kfuncs: [],
    maps: [],
    owner: null,
    claimed: false,
  };
  return { ...event, program, verdict: { ...event.verdict, decision: 'would_deny' } };
}

before(async () => {
  at = place('tuning');
  mkdirSync(at.state, { recursive: true });
  mkdirSync(join(at.root, 'bin'));
  // The page is for people: sudo is what they type, and root is who runs this.
  const sudo = join(at.root, 'bin/sudo');
  writeFileSync(sudo, '#!/bin/sh\nexec "$@"\n');
  chmodSync(sudo, 0o755);
  symlinkSync(join(ROOT, 'warden'), join(at.root, 'warden'));
  writeFileSync(join(at.root, 'policy.cases.yaml'), CASES);
  const { control } = openKeys(at.state, { create: ['host', 'control'] });
  bench = await Bench.open(async (clock) => openSqliteStore(at.database, { clock }), control);
  for (let day = 5; day >= 1; day--) {
    bench.nowMs = Date.now() - day * DAY_MS;
    await bench.append([eventOf(quiet, bench.nowMs)]);
    await bench.fold(policy);
  }
  bench.nowMs = Date.now() - 3_600_000;
  await bench.append([demo(bench.nowMs)]);
  await bench.fold(policy);
});

after(async () => {
  await bench.store.close();
  at.remove();
});

const commands = [...PAGE.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) =>
  block.trim().split('\n'),
);

test('every command of the page does what it says', async () => {
  assert.ok(commands.length >= 15);
  const iso = (ms: number) => `${new Date(ms).toISOString().slice(0, 16)}Z`;
  const env = {
    ...process.env,
    PATH: `${join(at.root, 'bin')}:${process.env.PATH}`,
    WARDEN_STATE: at.state,
    WARDEN_RUN: at.run,
    WARDEN_ETC: join(at.root, 'etc'),
    WARDEN_HOST: 'web-1',
    BEFORE: iso(Date.now() - DAY_MS),
    MORNING: iso(Date.now() - 2 * 3_600_000),
  };
  writeFileSync(join(at.root, 'company.yaml'), POLICY);
  const first = './warden policy apply company.yaml --author alice --reason first';
  const applied = spawnSync('sh', ['-c', first], { cwd: at.root, encoding: 'utf8', env });
  assert.deepEqual([applied.status, applied.stderr], [0, applied.stderr]);
  const told: (readonly [string, string])[] = [];
  for (const command of commands) {
    const ran = spawnSync('sh', ['-c', command], { cwd: at.root, encoding: 'utf8', env });
    assert.deepEqual([command, ran.status, ran.stderr], [command, 0, ran.stderr]);
    told.push([command, ran.stdout]);
    bench.nowMs = Date.now();
    await bench.fold(policy);
  }
  const said = (start: string, from = 0) =>
    told.slice(from).find(([command]) => command.startsWith(start))?.[1] ?? '';
  assert.match(said('./warden explain'), /trust 50\.\d+, tier restricted/);
  assert.match(said('./warden explain uid:10002@corp --at'), /tier standard/);
  assert.match(said('./warden explain', 4), /tier standard/);
  assert.match(said('./warden backtest'), /uid:10002@corp +│.*restricted +│ standard/);
  assert.match(said('sudo ./warden policy apply'), /observe/);
});
