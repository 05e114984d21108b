import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Event, hostName, principalKey } from '#event';
import { type ActFacts, factsOf, factsText, fold, type Model } from '#trust';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../packages/trust/time.ts';
import { ALICE, act, factsWith, known, modelWith, replay, START_MS } from './support.ts';

const model = modelWith();
/** Monday, 09:00 UTC. */
const NINE = START_MS + 9 * HOUR_MS;
const LISTED = 'aa'.repeat(32);
const OTHER = 'bb'.repeat(32);

function raisedBy(facts: Partial<ActFacts>, of: Model = model, tMs = NINE): readonly string[] {
  const principal = facts.principal ?? ALICE;
  const { outcome } = fold(known(of, principal), act(tMs, facts), of);
  return outcome.signals.map(({ id, added }) => `${id} ${added / 1_000_000}`);
}

test('signals of one act', () => {
  const host = principalKey('host:web-1');
  const rows: readonly [Partial<ActFacts>, string[]][] = [
    [{}, []],
    [{ exePath: '/tmp/loader' }, ['S07 30']],
    [{ exePath: '/dev/shm/loader' }, ['S07 30']],
    [{ exePath: '/tmpfiles/loader' }, []],
    [{ exePath: '/home/alice/tmp/loader' }, []],
    [{ exePath: null }, []],
    [{ places: ['memfd'], exePath: '/memfd:x' }, ['S07 30']],
    [{ places: ['overlay', 'overlay_upper'] }, ['S07 30']],
    [{ places: ['overlay'] }, []],
    [{ places: ['tmpfs'], exePath: '/run/x' }, []],
    [{ places: ['deleted'] }, ['S07 30']],
    [{ places: ['deleted'], loader: 'cilium' }, []],
    [{ places: ['memfd', 'deleted'], loader: 'cilium' }, ['S07 30']],
    [{ command: 'MAP_GET_FD_BY_ID', objectOwner: 'cilium@web-1' }, ['S09 12']],
    [{ command: 'MAP_GET_FD_BY_ID', objectOwner: ALICE }, []],
    [{ command: 'MAP_GET_FD_BY_ID', objectOwner: null }, []],
    [{ auidStatus: 'claimed' }, ['S21 15']],
    [{ auidStatus: 'unset' }, []],
    [{ command: 'RING_TAMPER', principal: host }, ['S01 80']],
    [{ command: 'FORK', principal: host }, ['S01 80']],
    [{ command: 'LOG_TAMPER', principal: host }, ['S01 80']],
    [{ command: 'PIN_UNLINK', rule: 'guard.protected', decision: 'deny' }, ['S01 80']],
    [{ command: 'PIN_UNLINK', rule: 'guard.protected', decision: 'would_deny' }, ['S01 80']],
    [{ command: 'OBJ_GET', rule: 'guard.protected', decision: 'deny' }, ['S01 80']],
    [{ command: 'OBJ_GET', rule: 'guard.protected', decision: 'would_deny' }, []],
    [{ command: 'MAP_GET_FD_BY_ID', rule: 'guard.hidden', decision: 'deny' }, []],
    [{ command: 'FORK' }, []],
    [{ command: 'LOSS', principal: host, declared: false }, ['S17 20']],
    [{ command: 'LOSS', principal: host }, []],
    [{ exePath: '/tmp/x', auidStatus: 'claimed' }, ['S07 30', 'S21 15']],
  ];
  for (const [facts, expected] of rows) {
    assert.deepEqual([facts, raisedBy(facts)], [facts, expected]);
  }
});

test('what a loaded program is and calls', () => {
  const load = { command: 'PROG_LOAD', decision: 'would_deny' };
  const rule = 'tiers.standard.program_types';
  const rows: readonly [Partial<ActFacts>, string[]][] = [
    [{ ...load, programType: 'LSM', rule }, ['S02 45']],
    [{ ...load, programType: 'EXT', rule: 'loaders.x.program_types' }, ['S02 45']],
    [{ ...load, programType: 'LSM', rule: 'tiers.standard.commands' }, []],
    [{ ...load, programType: 'LSM', rule: null }, []],
    [{ ...load, programType: 'CGROUP_SKB', rule }, []],
    [{ ...load, programType: 'KPROBE' }, ['S11 8']],
    [{ ...load, programType: 'XDP' }, ['S10 10']],
    [{ ...load, programType: 'XDP', errno: 'EINVAL' }, []],
    [{ ...load, programType: 'XDP', denied: true }, []],
    [{ ...load, command: 'MAP_CREATE', programType: 'LSM', rule }, []],
    [{ ...load, helpers: ['probe_write_user'] }, ['S03 40']],
    [{ ...load, helpers: ['override_return'] }, ['S04 40']],
    [{ ...load, helpers: ['send_signal'] }, ['S05 25']],
    [{ ...load, helpers: ['send_signal_thread', 'send_signal'] }, ['S05 25']],
    [{ ...load, helpers: ['sys_bpf', 'sys_close'] }, ['S06 15']],
    [{ ...load, helpers: ['kallsyms_lookup_name'] }, ['S06 15']],
    [{ ...load, helpers: ['map_lookup_elem', 'probe_read_kernel'] }, []],
    [{ ...load, command: 'LINK_CREATE', helpers: ['probe_write_user'] }, []],
    [{ ...load, helpers: ['probe_write_user', 'send_signal'] }, ['S03 40', 'S05 25']],
    [{ ...load, initUserns: false }, ['S08 15']],
    [{ initUserns: false }, []],
  ];
  for (const [facts, expected] of rows) {
    assert.deepEqual([facts, raisedBy(facts)], [facts, expected]);
  }
});

test('helpers that the policy grants a loader of its list are no evidence', () => {
  const load = { command: 'PROG_LOAD', helpers: ['override_return', 'send_signal'] };
  const both = ['S04 40', 'S05 25'];
  assert.deepEqual(raisedBy({ ...load, loader: 'tetragon', decision: 'allow' }), []);
  assert.deepEqual(raisedBy({ ...load, loader: 'tetragon', decision: 'would_deny' }), both);
  assert.deepEqual(raisedBy({ ...load, loader: 'tetragon', decision: 'deny', denied: true }), both);
  assert.deepEqual(raisedBy({ ...load, loader: null, decision: 'allow' }), both);
});

test('S15 needs an allow list and a digest, and a load that succeeded', () => {
  const listing = modelWith({}, { allow: [LISTED] });
  const load = { command: 'PROG_LOAD', programSha256: OTHER };
  assert.deepEqual(raisedBy(load, listing), ['S15 5']);
  assert.deepEqual(raisedBy(load), []);
  assert.deepEqual(raisedBy({ ...load, programSha256: LISTED }, listing), []);
  assert.deepEqual(raisedBy({ ...load, programSha256: null }, listing), []);
  assert.deepEqual(raisedBy({ ...load, errno: 'EACCES' }, listing), []);
  assert.deepEqual(raisedBy({ ...load, command: 'MAP_CREATE' }, listing), []);
});

test('S16H is for people, outside the hours of the policy', () => {
  const hours = { weekdays: [1, 2, 3, 4, 5], fromMinute: 480, toMinute: 1080, offsetMinutes: 60 };
  const working = modelWith({}, { hours });
  const at = (tMs: number): readonly string[] => raisedBy({}, working, tMs);
  const SIX = START_MS + 6 * HOUR_MS;
  assert.deepEqual(at(NINE), []);
  // 08:00 local is 07:00 UTC; 18:00 local is 17:00 UTC.
  assert.deepEqual(at(SIX + HOUR_MS - 1), ['S16H 2']);
  assert.deepEqual(at(SIX + HOUR_MS), []);
  assert.deepEqual(at(START_MS + 17 * HOUR_MS - 1), []);
  assert.deepEqual(at(START_MS + 17 * HOUR_MS), ['S16H 2']);
  assert.deepEqual(at(NINE + 5 * DAY_MS), ['S16H 2']);
  assert.deepEqual(at(NINE + 6 * DAY_MS), ['S16H 2']);
  // Sunday 23:30 UTC is Monday 00:30 local: a working day, but not its hours.
  assert.deepEqual(at(START_MS - 30 * MINUTE_MS), ['S16H 2']);
  assert.deepEqual(raisedBy({ principal: principalKey('cilium@web-1') }, working, START_MS), []);
});

test('S16: a second host is evidence, the first is not', () => {
  const hosts = ['web-1', 'web-1', 'web-2', 'web-1', 'web-2', 'web-3'].map(hostName);
  const log = hosts.map((host, i) => act(NINE + i, { host }));
  const { outcomes } = replay(known(model), log, model);
  assert.deepEqual(
    outcomes.map(({ signals }) => signals.map(({ id }) => id).join()),
    ['', '', 'S16', '', '', 'S16'],
  );
});

test('S16: of 129 hosts the longest unseen goes', () => {
  const visit = (n: number, day: number) =>
    act(START_MS + day * DAY_MS, { host: hostName(`web-${n}`) });
  const first = Array.from({ length: 128 }, (_, i) => visit(i, i));
  let { state } = replay(known(model), first, model);
  assert.equal(state.hosts.length, 128);
  ({ state } = replay(state, [visit(0, 200), visit(500, 201)], model));
  assert.equal(state.hosts.length, 128);
  const newOn = (n: number): boolean =>
    fold(state, visit(n, 202), model).outcome.signals.some(({ id }) => id === 'S16');
  assert.deepEqual([newOn(0), newOn(1), newOn(2), newOn(500)], [false, true, false, false]);
});

/** Signals of `count` equal acts, `gapMs` apart: how often each was raised. */
function burst(facts: Partial<ActFacts>, count: number, gapMs: number): string {
  const log = Array.from({ length: count }, (_, i) => act(NINE + i * gapMs, facts));
  const ids = replay(known(model), log, model).outcomes.flatMap(({ signals }) =>
    signals.map(({ id }) => id),
  );
  return [...new Set(ids)].map((id) => `${id} x${ids.filter((i) => i === id).length}`).join(' ');
}

test('bursts', () => {
  const sweep = { command: 'PROG_GET_NEXT_ID' };
  assert.equal(burst(sweep, 200, 1), '');
  assert.equal(burst(sweep, 201, 1), 'S12 x1');
  assert.equal(burst({ ...sweep, count: 201 }, 1, 1), 'S12 x1');
  assert.equal(burst({ command: 'OBJ_GET_INFO_BY_FD' }, 201, 1), 'S12 x1');
  // 200 a minute for an hour is allowed; 400 a minute is raised once a minute.
  assert.equal(burst(sweep, 200 * 60, 300), '');
  assert.equal(burst(sweep, 400 * 10, 150), 'S12 x10');
  const refused = { errno: 'EPERM' };
  assert.equal(burst(refused, 5, MINUTE_MS), '');
  assert.equal(burst(refused, 6, MINUTE_MS), 'S13 x1');
  assert.equal(burst({ ...refused, denied: true }, 100, 1), '');
  const rejected = { command: 'PROG_LOAD', errno: 'EACCES' };
  assert.equal(burst(rejected, 20, 1000), '');
  assert.equal(burst(rejected, 21, 1000), 'S14 x1');
  assert.equal(burst({ ...rejected, command: 'MAP_CREATE' }, 100, 1), '');
  assert.equal(burst({ ...rejected, errno: 'ENOMEM' }, 100, 1), '');
});

test('a burst across the edge of two slots counts once, and no act twice', () => {
  const edge = NINE + MINUTE_MS;
  const sweep = (tMs: number, count: number) => act(tMs, { command: 'BTF_GET_NEXT_ID', count });
  const ids = (...log: ReturnType<typeof sweep>[]): string[] =>
    replay(known(model), log, model).outcomes.map(({ signals }) => signals.map((s) => s.id).join());
  assert.deepEqual(ids(sweep(edge - 1000, 150), sweep(edge + 1000, 100)), ['', 'S12']);
  assert.deepEqual(ids(sweep(edge - 1000, 250), sweep(edge + 1000, 1)), ['S12', '']);
  // Half a minute on, half of the last slot's acts are still within the last minute.
  assert.deepEqual(ids(sweep(edge - 1000, 150), sweep(edge + 30_000, 126)), ['', '']);
  assert.deepEqual(ids(sweep(edge - 1000, 150), sweep(edge + 30_000, 127)), ['', 'S12']);
  assert.deepEqual(ids(sweep(edge - 1000, 150), sweep(edge + 2 * MINUTE_MS, 200)), ['', '']);
});

test('the calls of one run are one piece of evidence', () => {
  const calls = Array.from({ length: 100 }, (_, i) => act(NINE + i, { exePath: '/tmp/x' }));
  const { state, outcomes } = replay(known(model), calls, model);
  assert.equal(outcomes.filter(({ signals }) => signals.length > 0).length, 1);
  assert.equal(outcomes.at(-1)?.tier, 'standard');
  const again = fold(state, act(NINE + HOUR_MS, { exePath: '/tmp/x' }), model);
  assert.deepEqual([again.outcome.signals.length, again.outcome.tier], [1, 'restricted']);
});

test('an episode goes on over midnight, even when it added nothing', () => {
  const fresh = { ...known(model), activeDays: 0 };
  const midnight = START_MS + DAY_MS;
  const times = [midnight - 1000, midnight + 1000, midnight + 2000];
  const log = times.map((t) => act(t, { auidStatus: 'claimed' }));
  const { outcomes } = replay(fresh, log, model);
  assert.deepEqual(
    outcomes.map(({ signals }) => signals),
    [[{ id: 'S21', added: 0 }], [], []],
  );
});

test('a weight of 0 switches a signal off', () => {
  const off = modelWith({}, { overrides: new Map([['S07', { points: 0 }]]) });
  assert.deepEqual(raisedBy({ exePath: '/tmp/x' }, off), []);
});

const EVENT: Event = {
  timeUs: 0,
  principal: ALICE,
  subject: null,
  loader: {
    name: null,
    path: '/tmp/x',
    pathTruncated: false,
    sha256: null,
    device: 1,
    inode: '1',
    ownerUid: 0,
    places: ['deleted'],
  },
  process: null,
  act: { command: 'MAP_GET_FD_BY_ID', via: 'bpf', result: 3, errno: null, count: 0 },
  program: null,
  map: { id: 1, type: null, name: null, owner: 'cilium@web-1', claimed: false },
  link: null,
  path: null,
  verdict: { decision: 'deny', rule: null, enforced: true, mode: 'lsm', by: 'subject' },
  details: [{ key: 'declared', value: 'false' }],
};

test('facts of an event', () => {
  const facts = factsOf(EVENT, hostName('web-1'));
  assert.deepEqual(facts, {
    auidStatus: null,
    command: 'MAP_GET_FD_BY_ID',
    count: 1,
    decision: 'deny',
    declared: false,
    denied: true,
    errno: null,
    exePath: '/tmp/x',
    helpers: [],
    host: 'web-1',
    initUserns: true,
    loader: null,
    objectOwner: 'cilium@web-1',
    places: ['deleted'],
    principal: ALICE,
    programSha256: null,
    programType: null,
    rule: null,
  });
  const load = { ...EVENT, act: { ...EVENT.act, command: 'PROG_LOAD' } };
  assert.equal(factsOf(load, hostName('web-1')).objectOwner, null);
});

test('equal facts have equal text, in whatever order they were made', () => {
  const facts = factsWith({ places: ['memfd'] });
  const turned = Object.fromEntries(Object.entries(facts).toReversed()) as unknown as ActFacts;
  assert.equal(factsText(turned), factsText(facts));
  assert.deepEqual(JSON.parse(factsText(facts)), facts);
});
