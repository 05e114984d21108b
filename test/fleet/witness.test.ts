import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, cpSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { decode, lane, laneOf, principalKey } from '#event';
import { controlOf, controlOutput, seal } from '#fold';
import { IdempotentWriter, KafkaLog, type KafkaRecord } from '#log/kafka';
import { type Placed, place, run, Warden, waitFor } from '#testkit';
import { Service } from './process.ts';
import { environment, type Fleet, freshFleet, servers } from './servers.ts';
import { recordsOf } from './truth.ts';

const CHURN = resolve(import.meta.dirname, '../../bpf/build/workloads/churn');
const HOST = 'web-1';
/** More than a heartbeat's 15 s. */
const SILENT_S = 17;

const real = await servers();
after(() => real.stop());

/** What a verb says of a fleet, and its exit code. */
async function tell(verb: readonly string[], { prefix, settings }: Fleet, keys: string) {
  const on = ['--kafka', settings.brokers.join(','), '--fleet', prefix.slice(0, -1)];
  const ran = await run('./warden', [...verb, ...on, '--state', keys]);
  assert.ok(ran.code === 0 || ran.code === 1, ran.stderr);
  return ran;
}

/** The same as JSON. */
async function ask(verb: readonly string[], fleet: Fleet, keys: string) {
  const { code, stdout } = await tell([...verb, '--json'], fleet, keys);
  return { code, said: JSON.parse(stdout) };
}

const ofHosts = (fleet: Fleet, keys: string) =>
  ask(['host', 'list', '--silent', `${SILENT_S}`], fleet, keys);
const ofLog = (fleet: Fleet, keys: string) => ask(['verify'], fleet, keys);

/** Waits until a host is said to be in a state, and gives what else is said. */
function inState(state: string, fleet: Fleet, keys: string, host: Service) {
  const look = async () => {
    assert.ok(state !== 'running' || host.isRunning, 'the host has ended');
    const { code, said } = await ofHosts(fleet, keys);
    const row = said.hosts.find((one: { host: string }) => one.host === HOST);
    return row?.state === state && { code, said, row };
  };
  return waitFor(`${HOST} ${state}`, look, 60_000);
}

async function act(at: Placed): Promise<void> {
  const churn = join(at.root, 'churn');
  copyFileSync(CHURN, churn);
  chmodSync(churn, 0o755);
  const ran = await run(churn, ['1']);
  assert.equal(ran.code, 0, ran.stderr);
}

/** The same records in a fleet of their own, but for some. */
async function copyTo(other: Fleet, log: KafkaLog, isKept: (record: Copied) => boolean) {
  const writer = new IdempotentWriter(other.client);
  for (const topic of ['bpf.events', 'bpf.checkpoints', 'bpf.hosts'] as const) {
    for (const [partition, records] of (await recordsOf(log, topic)).entries()) {
      const kept = records.filter((record) => isKept({ ...record, topic }));
      if (kept.length > 0) await writer.send(kept.map((one) => ({ ...one, topic, partition })));
    }
  }
  await writer.close();
}

type Copied = KafkaRecord & { readonly topic: string };

/** The hash of the policy in the START event: the collector's word, which its MAC seals. */
async function policyAtStart(log: KafkaLog): Promise<string | undefined> {
  const records = (await recordsOf(log, 'bpf.events')).flat();
  const events = records.flatMap(({ value }) => decode('Frame', value as Uint8Array).events);
  const start = events
    .map((event) => decode('Event', event))
    .find(({ act }) => act.command === 'START');
  return start?.details.find(({ key }) => key === 'policy')?.value;
}

interface Found {
  readonly code: string;
  readonly host: string;
  readonly lane: number;
  readonly sequence: number;
  readonly detail: string;
}

/** The frame whose loss nobody could see but for a checkpoint: the last one of a lane. */
async function lastFrame(log: KafkaLog) {
  const frames = (await recordsOf(log, 'bpf.events')).flatMap((records, partition) =>
    records.map(({ offset, value }) => {
      return { partition, offset, frame: decode('Frame', value as Uint8Array) };
    }),
  );
  // Of the first run, whose last checkpoint is of all there is.
  const end = (await recordsOf(log, 'bpf.checkpoints'))[0]?.[1];
  const { heads } = decode('Checkpoint', end?.value as Uint8Array);
  const signed = new Map(heads.map((head) => [head.lane, head.sequence]));
  const life = frames.filter(({ frame }) => frame.first < (signed.get(frame.lane) ?? 0));
  const acts = life.filter(({ frame }) =>
    frame.events.some((event) => decode('Event', event).principal === `uid:0@${HOST}`),
  );
  const last = acts.at(-1);
  assert.ok(last !== undefined, 'an act of uid 0');
  return last;
}

async function tailCut(log: KafkaLog, keys: string): Promise<void> {
  const { partition, offset, frame } = await lastFrame(log);
  const other = await freshFleet(real, { partitions: 4 });
  const isLast = (one: Copied) =>
    one.topic === 'bpf.events' && one.offset >= offset && one.lane === frame.lane;
  assert.equal(partition, frame.lane % 4);
  await copyTo(other, log, (one) => !isLast(one));
  const { code, said } = await ofLog(other, keys);
  assert.deepEqual([code, said.ok, said.missing.count], [1, false, 1], JSON.stringify(said));
  const [found] = said.missing.findings as Found[];
  assert.deepEqual(
    [found?.code, found?.host, found?.lane, found?.sequence],
    ['TRUNCATED', HOST, frame.lane, frame.first],
  );
  assert.match(found?.detail ?? '', /ends before \d+, [1-9]\d* events short/);
}

/** Both topics cut at one place, so that nothing that is left is of what is gone. */
async function bothCut(log: KafkaLog, keys: string): Promise<void> {
  const [first] = (await recordsOf(log, 'bpf.checkpoints'))[0] ?? [];
  const { heads } = decode('Checkpoint', first?.value as Uint8Array);
  const isBefore = ({ topic, offset, value }: Copied) => {
    if (topic !== 'bpf.events') return topic === 'bpf.hosts' || offset === first?.offset;
    const frame = decode('Frame', value as Uint8Array);
    return frame.first < (heads.find((one) => one.lane === frame.lane)?.sequence ?? 0);
  };
  const end = await freshFleet(real, { partitions: 4 });
  await copyTo(end, log, isBefore);
  const { code, said } = await ofLog(end, keys);
  assert.deepEqual([code, said.missing.count], [1, 0], JSON.stringify(said));
  const [found, ...more] = said.checkpoints.missing.findings as Found[];
  assert.deepEqual([found?.code, more], ['TRUNCATED', []]);
  assert.match(found?.detail ?? '', /web-1: it has sent checkpoint [23], the last one there is 1/);
  assert.equal(said.hosts[0].checkpoint, 1);

  const beginning = await freshFleet(real, { partitions: 4 });
  await copyTo(beginning, log, (one) => one.topic !== 'bpf.checkpoints' || one.offset !== 0);
  const { said: later } = await ofLog(beginning, keys);
  const [gone] = later.checkpoints.missing.findings as Found[];
  assert.match(gone?.detail ?? '', /web-1: begins with checkpoint 2, those before are gone/);
}

/** More of them than are looked at of each host, under its name. */
async function heartbeatsForged(log: KafkaLog, keys: string): Promise<void> {
  const fleet = await freshFleet(real, { partitions: 4 });
  await copyTo(fleet, log, () => true);
  const topic = 'bpf.hosts' as const;
  const forged = { topic, partition: 0, lane: 0, key: HOST, value: Buffer.from('forged') };
  const writer = new IdempotentWriter(fleet.client);
  await writer.send(Array.from({ length: 20 }, () => forged));
  await writer.close();
  const { code, said } = await ofHosts(fleet, keys);
  assert.deepEqual([code, said.hosts[0].state], [1, 'stopped'], JSON.stringify(said));
  assert.ok(said.findings.length > 0, JSON.stringify(said));
}

/** A control record under the fleet's key, and one under another. */
async function controlForged(log: KafkaLog, keys: string): Promise<void> {
  const fleet = await freshFleet(real, { partitions: 4 });
  await copyTo(fleet, log, () => true);
  const principal = principalKey('uid:1@corp');
  const at = lane(laneOf(principal));
  const record = (id: string, key: Uint8Array) => {
    const control = controlOf({ id, lane: at, kind: 'due', principal, timeMs: Date.now() });
    return { ...controlOutput(seal('Control', control, key)), partition: at % 4 };
  };
  const writer = new IdempotentWriter(fleet.client);
  const ours = readFileSync(join(keys, 'control.key'));
  await writer.send([record('ours', ours)]);
  assert.equal((await ofLog(fleet, keys)).code, 0);
  const misplaced = { ...record('elsewhere', ours), partition: (at + 1) % 4 };
  await writer.send([misplaced, record('theirs', Buffer.alloc(32, 7))]);
  await writer.close();
  const { code, said } = await ofLog(fleet, keys);
  assert.deepEqual([code, said.report.controls, said.controls_checked], [1, 3, true]);
  const found = (said.forged.recent.findings as Found[]).map((one) => one.detail).sort();
  assert.deepEqual(found, [
    'BAD_MAC: control record theirs',
    `WRONG_LANE: control record elsewhere of lane ${at}`,
  ]);

  const without = `${keys}-to-verify`;
  cpSync(keys, without, { recursive: true });
  rmSync(join(without, 'control.key'));
  const { stdout } = await tell(['verify'], fleet, without);
  assert.match(stdout, /, 3 control records: every link and MAC of a frame is right\n/);
  assert.match(stdout, /^control records were not looked into: there is no control.key here$/m);
}

/** Deleted as an administrator of the brokers can, and an old checkpoint sent again. */
async function deletedAndReplayed(fleet: Fleet, log: KafkaLog, keys: string): Promise<void> {
  const { partition, frame } = await lastFrame(log);
  const admin = fleet.client.kafka.admin();
  await admin.connect();
  const topic = fleet.client.topic('bpf.events');
  // Asked for first, so that it knows the topic.
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: '-1' }] });
  await admin.disconnect();
  const [first] = (await recordsOf(log, 'bpf.checkpoints'))[0] ?? [];
  const writer = new IdempotentWriter(fleet.client);
  await writer.send([{ ...(first as KafkaRecord), topic: 'bpf.checkpoints', partition: 0 }]);
  await writer.close();
  const { code, said } = await ofLog(fleet, keys);
  assert.equal(code, 1);
  const inLane = (said.missing.findings as Found[]).filter(({ lane }) => lane === frame.lane);
  assert.deepEqual(
    inLane.map((one) => [one.code, one.host]),
    [['TRUNCATED', HOST]],
    JSON.stringify(said),
  );
  assert.deepEqual(
    said.checkpoints.forged.recent.findings.map((one: Found) => one.code),
    ['REPLAYED'],
  );
}

test('heartbeats and checkpoints of a host: who is silent, and what is missing', async (t) => {
  const at = place('fleet-witness');
  const fleet = await freshFleet(real, { partitions: 4 });
  const env = environment(fleet, at, HOST);
  const keys = join(at.root, 'fleet');
  const enroll = ['host', 'enroll', HOST, '--state', keys, '--out', at.state];
  const enrolled = await run('./warden', enroll);
  assert.equal(enrolled.code, 0, enrolled.stderr);
  const never = await ofHosts(fleet, keys);
  assert.deepEqual([never.code, never.said.hosts[0].state], [1, 'never']);

  const start = () => new Service(['collector', '--state', at.state], env);
  const log = new KafkaLog(fleet.client);
  let host = start();
  t.after(async () => {
    await host.stop();
    Warden.unload(at);
    await log.close();
    at.remove();
  });
  const { code, row } = await inState('running', fleet, keys, host);
  assert.equal(code, 0);
  assert.match(row.mode, /^(lsm|fmod_ret|audit)$/);
  assert.ok(row.capabilities.length > 0 && row.age_ms < 1000 * SILENT_S, JSON.stringify(row));
  const signed = async () => (await recordsOf(log, 'bpf.checkpoints'))[0]?.length ?? 0;
  await waitFor('the first checkpoint', async () => (await signed()) === 1, 60_000);
  assert.equal(row.policy, await policyAtStart(log), 'what the collector says that it began with');
  await act(at);
  assert.equal(await host.stop(), 0, host.said);

  const stopped = await inState('stopped', fleet, keys, host);
  assert.deepEqual([stopped.code, stopped.said.findings], [1, []], 'nobody watches it');
  assert.equal((await ask(['host', 'list', '--stopped-ok', HOST], fleet, keys)).code, 0);
  const whole = await ofLog(fleet, keys);
  assert.deepEqual([whole.code, whole.said.missing.count], [0, 0], JSON.stringify(whole.said));
  assert.equal(whole.said.checkpoints.good, 2, 'the first and the last');
  assert.deepEqual(whole.said.checkpoints.unsigned, []);
  await controlForged(log, keys);
  await heartbeatsForged(log, keys);

  host = start();
  const again = await inState('running', fleet, keys, host);
  assert.equal(again.row.incarnation, row.incarnation, 'the same boot');
  await waitFor('one of this run', async () => (await signed()) === 3, 60_000);
  await host.kill();
  await tailCut(log, keys);
  await bothCut(log, keys);
  await deletedAndReplayed(fleet, log, keys);
  const { stdout } = await tell(['verify'], fleet, keys);
  assert.match(stdout, /: something is wrong\n/);
  assert.match(
    stdout,
    /^partition \d, record \d+, web-1\/[0-9a-f]{16}\/\d+\/\d+: TRUNCATED: .* events short$/m,
  );
  assert.match(stdout, /^\d of \d checkpoints are signed right, over \d+ chains$/m);
  assert.match(stdout, /^checkpoint \d+ of web-1: REPLAYED: /m);
  const silent = await inState('silent', fleet, keys, host);
  assert.equal(silent.code, 1);
  const shown = await tell(['host', 'list', '--silent', `${SILENT_S}`], fleet, keys);
  assert.match(shown.stdout, /web-1 +│ silent +│ (lsm|fmod_ret|audit) +│ [0-9a-f]{12} .* s ago/);
  assert.ok(silent.row.age_ms > 1000 * SILENT_S);
});
