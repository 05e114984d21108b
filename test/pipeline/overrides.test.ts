import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { openKeys } from '#config';
import { decode } from '#event';
import { openSqliteStore } from '#state';
import { type Placed, place } from '#testkit';
import { EXIT } from '../../cli/shared/exit.ts';
import { Bench, eventOf, type Made } from './live-fold.ts';

/** Verbs as an operator types them, beside a log whose fold the test moves on. */
const MAIN = resolve(import.meta.dirname, '../../cli/main.ts');
const BOB = 'uid:33@web-1';

let at: Placed;
let bench: Bench;

const act = (place_: string): Made => ({
  who: 1,
  command: 'MAP_CREATE',
  errno: null,
  place: place_,
  claimed: place_ !== '',
  count: 1,
  skewMs: 0,
  waitMs: 0,
  word: null,
});

before(async () => {
  at = place('overrides');
  mkdirSync(at.state, { recursive: true });
  const { control } = openKeys(at.state, { create: ['host', 'control'] });
  bench = await Bench.open(async (clock) => openSqliteStore(at.database, { clock }), control);
  // Old enough for all evidence to count: three active days, the last one yesterday.
  for (let day = 4; day >= 1; day--) {
    bench.nowMs = Date.now() - day * 86_400_000;
    await bench.append([eventOf(act(''), bench.nowMs)]);
    await bench.fold();
  }
  bench.nowMs = Date.now() - 3_600_000;
  await bench.append([eventOf(act('memfd'), bench.nowMs)]);
  await bench.fold();
  bench.nowMs = Date.now();
});

after(async () => {
  await bench.store.close();
  at.remove();
});

function run(...verb: string[]) {
  const env = { ...process.env, WARDEN_HOST: 'web-1', WARDEN_RUN: at.run };
  const args = ['--disable-warning=ExperimentalWarning', MAIN, ...verb, '--state', at.state];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  return { status, stdout, stderr };
}

async function json(...verb: string[]) {
  const { status, stdout, stderr } = run(...verb, '--json');
  assert.deepEqual([status, stderr], [0, '']);
  bench.nowMs = Date.now();
  await bench.fold();
  return JSON.parse(stdout) as Record<string, unknown>;
}

const explained = () => json('explain', BOB);
const since = ['--since', '3d'];
const why = ['--reason', 'a test', '--ticket', 'SEC-1'];

test('evidence lowers bob: what the rest starts from', async () => {
  const told = await explained();
  assert.deepEqual([told.tier, told.computed_tier], ['quarantined', 'quarantined']);
  const ids = (told.signals as { id: string }[]).map(({ id }) => id);
  assert.deepEqual(ids, ['S07', 'S21']);
});

test('an override is in force once it is folded, and explain says who and why', async () => {
  const pinned = await json('pin', BOB, '--tier', 'restricted', '--ttl', '2h', ...why);
  assert.deepEqual([pinned.verb, pinned.kernel], ['pin', 'nothing is loaded here']);
  const held = await explained();
  assert.deepEqual([held.tier, held.computed_tier], ['restricted', 'quarantined']);
  const [override] = held.overrides as Record<string, unknown>[];
  assert.deepEqual(
    [override?.id, override?.kind, override?.reason, override?.ticket],
    [pinned.id, 'pin', 'a test', 'SEC-1'],
  );
  await json('lift', BOB, pinned.id as string, ...why);
  assert.deepEqual((await explained()).overrides, []);

  await json('pardon', BOB, '--now', ...why);
  const forgiven = await explained();
  assert.deepEqual([forgiven.tier, forgiven.computed_tier], ['standard', 'standard']);
});

test('what stood before is still told, to the micro-point', async () => {
  const then = new Date(bench.nowMs - 1_800_000).toISOString();
  const told = await json('explain', BOB, '--at', then);
  assert.deepEqual([told.tier, told.complete], ['quarantined', true]);
  const terms = told.terms as { micropoints: number }[];
  const sum = terms.reduce((total, { micropoints }) => total + micropoints, 0);
  assert.equal(sum, told.trust_micropoints);
});

test('an incident, an adjustment, a label and an observation', async () => {
  const incident = await json('pin', BOB, '--incident', ...why);
  assert.deepEqual([incident.tier, incident.until], ['denied', null]);
  assert.equal((await explained()).tier, 'denied');
  await json('pardon', BOB, '--signals', 'S20', ...why);
  assert.equal((await explained()).tier, 'standard');
  await json('adjust', BOB, '--factor', '0.5', '--ttl', '1d', ...why);
  const observed = await json('observe', BOB, '--ttl', '1h', ...why);
  assert.equal(observed.kernel, 'nothing is loaded here');
  await json('label', BOB, '--from', '2026-11-20', '--verdict', 'fp', ...why);
  const kinds = ((await explained()).overrides as { kind: string }[]).map(({ kind }) => kind);
  assert.deepEqual(kinds, ['adjust', 'observe']);
});

test('reported risk is evidence, once', async () => {
  const file = join(at.root, 'risk.jsonl');
  const report = { id: 'r-1', source: 'idp', principal: BOB, share: 1, reason: 'stolen token' };
  writeFileSync(file, `${JSON.stringify(report)}\n\n${JSON.stringify(report)}\n`);
  assert.equal((await json('risk', 'import', file)).taken, 2);
  const risky = await explained();
  const s18 = (risky.signals as { id: string; count: number }[]).find(({ id }) => id === 'S18');
  assert.equal(s18?.count, 1);
});

test('what the breaker holds back is listed, and an approval reaches the enforcer', async () => {
  const pending = { tier: 'denied', cause: 'web-1/00000000000000aa/0/1', causeTimeUs: 1e15 };
  const value = Buffer.from(JSON.stringify({ tier: 'standard', pending }));
  const entry = { space: 'host', lane: 0, key: `tier/${BOB}`, value } as const;
  await bench.store.commit({ outputs: [], state: [entry], position: [] });
  const listed = run('breaker', '--json');
  assert.equal(listed.status, 1);
  assert.equal(JSON.parse(listed.stdout).principal, BOB);
  const tiers = { topic: 'bpf.tiers', partition: 0 } as const;
  const end = await bench.store.log.end(tiers);
  assert.deepEqual((await json('breaker', 'approve', ...why)).approved, [BOB]);
  const [record] = await bench.store.log.read(tiers, end, { records: 9, bytes: 1 << 20 });
  assert.equal(decode('Tier', record?.value as Uint8Array).approved, true);
});

test('the past is judged again, varied, and drawn', async () => {
  const file = join(at.root, 'new.yaml');
  writeFileSync(
    file,
    'version: 1\nmode: observe\nsignals: { S07: { weight: 5, half_life: 7d } }\n',
  );
  const report = await json('backtest', '--policy', file, ...since);
  const differences = report.differences as { principal: string; before: string }[];
  assert.deepEqual([differences[0]?.principal, differences[0]?.before], [BOB, 'quarantined']);
  const drawn = await json('whatif', '--set', 'S07.weight=5', '--principal', BOB, ...since);
  const [before, after] = [drawn.before, drawn.after] as { trust: number | null }[][];
  const least = (all: { trust: number | null }[] = []) =>
    Math.min(...all.flatMap(({ trust }) => trust ?? []));
  assert.ok(least(after) >= least(before));
  const swept = await json('sweep', '--param', 'S*.weight=0.5..1.5', '--steps', '3', ...since);
  const tried = swept.tried as { factors: Record<string, number>; pareto: boolean }[];
  assert.deepEqual(
    tried.map(({ factors }) => factors['S*.weight']),
    [0.5, 1, 1.5],
  );
  assert.ok(tried.some(({ pareto }) => pareto));
  for (const verb of ['backtest --policy', 'whatif --set S07.weight=5 --principal']) {
    const [name = '', ...rest] = verb.split(' ');
    const told = run(name, ...rest, name === 'whatif' ? BOB : file, ...since);
    assert.deepEqual([told.status, told.stderr.split('\n').length <= 2], [0, true]);
    assert.match(told.stdout, name === 'whatif' ? /┤|┼/ : /WOULD BE/);
  }
});

test('the page of a back-test is one file that needs nothing else', async () => {
  const [file, page] = [join(at.root, 'new.yaml'), join(at.root, 'report.html')];
  await json('backtest', '--policy', file, '--html', page, ...since);
  const html = readFileSync(page, 'utf8');
  assert.match(html, /default-src 'none'/);
  assert.doesNotMatch(html, /<script|https?:\/\/(?!www\.w3\.org)|<link|@import/);
  assert.ok((html.match(/<svg/g) ?? []).length >= 4);
  assert.ok(html.includes(BOB));
  const told = run('backtest', '--policy', file, '--html', '/none/report.html', ...since);
  assert.equal(told.status, 73);
  assert.match(told.stderr, /\/none\/report.html: ENOENT/);
});

test('what can not be is refused with what to do, and nothing is recorded', async () => {
  const end = await bench.store.log.end({ topic: 'bpf.overrides', partition: 0 });
  const rows: readonly [string[], number, RegExp][] = [
    [['pin', BOB, '--tier', 'best', ...why], 64, /--tier "best": expected one of denied, quar/],
    [['pin', BOB, '--tier', 'trusted', '--ttl', '31d', ...why], 64, /pin lasts at most 43200 min/],
    [['pin', BOB, '--tier', 'trusted', '--ttl', '1y', ...why], 64, /--ttl "1y": expected a numb/],
    [['pardon', BOB, '--signals', 'S99', ...why], 64, /uid:33@web-1: no signal S99/],
    [['pardon', 'nobody at all', ...why], 65, /nobody at all: no such principal: .*warden trust/],
    [['pardon', BOB], 64, /required option '--reason <text>' not specified/],
    [['adjust', BOB, '--factor', '3', ...why], 64, /--factor "3": expected a number from 0 to 2/],
    [['adjust', BOB, '--factor', '0.5', ...why], 64, /adjust raises: it needs an end/],
    [
      ['label', BOB, '--from', 'monday', '--verdict', 'fp', ...why],
      64,
      /--from "monday": expected/,
    ],
    [['label', BOB, '--from', '2026-01-01', '--verdict', 'no', ...why], 64, /--verdict "no": expe/],
    [['lift', BOB, '0123456789abcdef', ...why], 64, /no override 0123456789abcdef is in force/],
    [['break-glass', BOB, '--ttl', '2h', ...why], 64, /--ttl 2h: break-glass lasts at most 60m/],
    [['break-glass', BOB], 64, /--reason is missing: it is kept/],
    [['break-glass', ...why], 64, /for whom\? a principal, or --token FILE/],
    [['break-glass', BOB, '--commands', 'LOAD', ...why], 64, /--commands "LOAD": expected command/],
    [['risk', 'import', '/none.jsonl'], 65, /ENOENT/],
    [['backtest', '--policy', '/none.yaml'], 78, /policy \/none.yaml: ENOENT/],
    [['backtest', '--policy', MAIN], 78, /the policy cannot be used/],
    [['whatif', '--set', 'S7', '--principal', BOB], 64, /--set "S7": expected S07.weight=20/],
    [['whatif', '--set', 'S07.weight=1', '--principal', 'x'], 65, /x: no such principal/],
    [['sweep', '--param', 'S07.weight=2..1'], 64, /--param "S07.weight=2..1": expected factors/],
    [['sweep', '--param', 'S*.weight=0..1', '--steps', '1'], 64, /--steps "1": expected 2 to 99/],
  ];
  for (const [verb, status, message] of rows) {
    const told = run(...verb);
    assert.deepEqual([verb, told.status], [verb, status]);
    assert.match(told.stderr, message);
    assert.equal(told.stdout, '');
  }
  assert.equal(await bench.store.log.end({ topic: 'bpf.overrides', partition: 0 }), end);
});

test('without its key nothing is verified, said or made', () => {
  const key = join(at.state, 'control.key');
  const kept = readFileSync(key);
  rmSync(key);
  for (const verb of [['verify'], ['pin', BOB, '--tier', 'denied', ...why]]) {
    const { status, stderr } = run(...verb);
    assert.equal(status, EXIT.config, stderr);
    assert.match(stderr, /control\.key: ENOENT/);
    assert.ok(!existsSync(key), verb[0]);
  }
  writeFileSync(key, kept, { mode: 0o600 });
});
