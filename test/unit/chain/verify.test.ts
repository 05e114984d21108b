import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ChainError, chainKey, type Finding, type Head, openFrame, Verifier } from '#chain';
import { decode, encode, principalKey } from '#event';
import { Random } from '../../contract/random.ts';
import { buildLog, type Sealed, Writers } from './lanes.ts';

function verify(writers: Writers, log: readonly Sealed[]) {
  const verifier = new Verifier({ keyOf: writers.keyOf });
  const findings = log.map((record, offset) => verifier.add({ ...record, offset }));
  return { verifier, findings: findings.filter((finding) => finding !== null) };
}

function brief({ offset, code, lane, sequence }: Finding): string {
  return `${offset} ${code} lane ${lane} ${sequence}`;
}

const one = (text: string) => [Buffer.from(text)];

it('Verifier finds nothing in a good log, and counts it', () => {
  const { log, writers } = buildLog(new Random(7), 60);
  const { verifier, findings } = verify(writers, log);
  assert.deepEqual(findings, []);
  const events = log.reduce((sum, { count }) => sum + count, 0);
  const { frames, events: found, chains, bad, first } = verifier.report();
  assert.deepEqual(
    { frames, found, chains, bad },
    { frames: 60, found: events, chains: 6, bad: 0 },
  );
  assert.equal(first, null);
  assert.deepEqual(verifier.finish(writers.heads, 60), []);
});

it('Verifier passes over control records, unless it is told how to check them', () => {
  const value = encode('Control', {
    id: 'due/1',
    lane: 0,
    kind: 'due',
    principal: principalKey('uid:1@corp'),
    timeMs: 1,
    policyHash: null,
    policy: null,
    body: null,
    mac: Buffer.alloc(32),
  });
  const verifier = new Verifier({ keyOf: () => null });
  assert.equal(verifier.add({ offset: 0, lane: 0, value }), null);
  assert.equal(verifier.report().controls, 1);
  assert.equal(verifier.report().frames, 0);
  const checkControl = () => {
    throw new ChainError('BAD_MAC', 'forged');
  };
  const checking = new Verifier({ keyOf: () => null, checkControl });
  assert.equal(checking.add({ offset: 7, lane: 3, value })?.code, 'BAD_MAC');
  assert.equal(checking.report().controls, 1);
  const reading = new Verifier({
    keyOf: () => null,
    checkControl: (record) => decode('Control', record.value),
  });
  const cut = value.subarray(0, value.length - 40);
  assert.equal(reading.add({ offset: 0, lane: 0, value: cut })?.code, 'BAD_FRAME');
});

it('Verifier goes on behind a finding, and keeps the first', () => {
  const writers = new Writers();
  const log = ['0', '1', '2', '3', '4'].flatMap((text) =>
    writers.seal({ host: 'web-1', lane: 1, events: one(text) }),
  );
  const [a, , c, d, e] = log as [Sealed, Sealed, Sealed, Sealed, Sealed];
  const cut = { ...d, value: d.value.subarray(1) };
  const { verifier, findings } = verify(writers, [a, c, cut, e]);
  assert.deepEqual(findings.map(brief), [
    '1 SEQUENCE_GAP lane 1 1',
    '2 BAD_FRAME lane 1 null',
    '3 SEQUENCE_GAP lane 1 3',
  ]);
  assert.deepEqual(verifier.report().first, findings[0]);
  assert.equal(verifier.report().bad, 3);
});

it('Verifier compares a repeat however old, event by event', () => {
  const writers = new Writers();
  const log = ['0', '1', '2', '3'].flatMap((text) =>
    writers.seal({ host: 'web-1', lane: 1, events: one(text) }),
  );
  const old = log[1] as Sealed;
  const fork = { sequence: 1, hash: openFrame(old.value, writers.keyOf).previous };
  const seal = (events: Buffer[]) => writers.seal({ host: 'web-1', lane: 1, events, fork });
  const { verifier, findings } = verify(writers, [
    ...log,
    old,
    ...seal([...one('1'), ...one('2')]),
    ...seal([...one('1'), ...one('other')]),
  ]);
  assert.deepEqual(findings.map(brief), [
    '4 DUPLICATE lane 1 1',
    '5 DUPLICATE lane 1 1',
    '6 FORK lane 1 2',
  ]);
  assert.equal(verifier.report().bad, 1);
  assert.equal(verifier.report().duplicates, 4);
});

it('Verifier tells a late frame from a repeated one', () => {
  const writers = new Writers();
  const seal = (text: string) => writers.seal({ host: 'web-1', lane: 1, events: one(text) });
  const [a, b, c] = [seal('0'), seal('1'), seal('2')];
  const { findings } = verify(writers, [...a, ...c, ...b, ...c]);
  assert.deepEqual(findings.map(brief), [
    '1 SEQUENCE_GAP lane 1 1',
    '2 OUT_OF_ORDER lane 1 1',
    '3 DUPLICATE lane 1 2',
  ]);
});

it('Verifier finds an authentic frame under another lane', () => {
  const writers = new Writers();
  const [frame] = writers.seal({ host: 'web-1', lane: 1, events: one('0') });
  const { findings } = verify(writers, [{ ...(frame as Sealed), lane: 2 }]);
  assert.deepEqual(findings.map(brief), ['0 WRONG_LANE lane 2 null']);
});

it('Verifier goes on from the heads of a snapshot', () => {
  const { log, writers } = buildLog(new Random(8), 60);
  const before = new Map<string, Head>();
  for (const { value } of log.slice(0, 30)) {
    const frame = openFrame(value, writers.keyOf);
    before.set(chainKey(frame), frame.next);
  }
  const run = (options: Partial<ConstructorParameters<typeof Verifier>[0]>) => {
    const verifier = new Verifier({ keyOf: writers.keyOf, ...options });
    for (const record of log.slice(30)) verifier.add(record);
    return verifier.report();
  };
  assert.equal(run({ heads: before }).bad, 0);
  assert.ok(run({}).bad > 0);
  const accepting = run({ unanchored: 'accept' });
  assert.equal(accepting.bad, 0);
  assert.ok(accepting.unanchored > 0);
});

it('Verifier finds the end cut off when the heads are known', () => {
  const { log, writers } = buildLog(new Random(9), 40);
  const last = log.at(-1) as Sealed;
  const { verifier } = verify(writers, log.slice(0, -1));
  const [finding] = verifier.finish(writers.heads, 39);
  assert.equal(finding && brief(finding), `39 TRUNCATED lane ${last.lane} ${last.first}`);
  const forged = new Map(
    [...writers.heads].map(([key, { sequence }]) => [key, { sequence, hash: Buffer.alloc(32, 1) }]),
  );
  const codes = verify(writers, log)
    .verifier.finish(forged, 40)
    .map(({ code }) => code);
  assert.deepEqual(new Set(codes), new Set(['FORK']));
});

it('Verifier forgets the oldest hashes beyond its memory, and says so', () => {
  const writers = new Writers();
  const verifier = new Verifier({ keyOf: writers.keyOf, memoryBytes: 4096 * 16 });
  const [a] = writers.seal({ host: 'web-1', lane: 1, events: one('0') }) as [Sealed];
  const [b] = writers.seal({ host: 'web-2', lane: 1, events: one('0') }) as [Sealed];
  for (const record of [a, b, b, a]) verifier.add(record);
  const { duplicates, uncompared, bad } = verifier.report();
  assert.deepEqual({ duplicates, uncompared, bad }, { duplicates: 1, uncompared: 1, bad: 0 });
});

it('Verifier misses no chain that a trim left without frames, unless it must know', () => {
  const { log, writers } = buildLog(new Random(10), 40);
  const silent = (log[0] as Sealed).chain;
  const rest = log.filter(({ chain }) => chain !== silent);
  const finish = (unanchored: 'accept' | 'refuse') => {
    const verifier = new Verifier({ keyOf: writers.keyOf, unanchored });
    for (const record of rest) verifier.add(record);
    return verifier.finish(writers.heads, 40).map(({ code }) => code);
  };
  assert.deepEqual(finish('accept'), []);
  assert.deepEqual(finish('refuse'), ['TRUNCATED']);
});
