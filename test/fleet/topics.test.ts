import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { FLEET_TOPICS, fleetContract, KafkaClient } from '#log/kafka';
import { run, waitFor } from '#testkit';
import { servers } from './servers.ts';

const real = await servers();
after(() => real.stop());

const fleet = `t${randomBytes(4).toString('hex')}`;
const kafka = real.kafka.join(',');

async function topics(verb: string, ...args: string[]) {
  const on = ['--kafka', kafka, '--fleet', fleet, '--brokers', '1'];
  const { code, stdout, stderr } = await run('./warden', ['topics', verb, ...on, ...args]);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { code, lines, stderr };
}

test('plan, apply, check: drift is found, mended, and fails a check', async () => {
  const planned = await topics('plan', '--json');
  assert.equal(planned.code, 0, planned.stderr);
  const missing = planned.lines.map((line) => JSON.parse(line));
  assert.deepEqual(
    missing.map(({ schema, kind, name }) => [schema, kind, name]),
    FLEET_TOPICS.map((topic) => ['warden.topics/1', 'topic', `${fleet}.${topic}.v1`]),
  );
  assert.equal((await topics('check')).code, 1);
  assert.equal((await topics('apply')).code, 0);
  const checked = await topics('check');
  assert.deepEqual(checked, { code: 0, lines: [], stderr: '' });

  const name = `${fleet}.bpf.enriched.v1`;
  const settings = { brokers: real.kafka, clientId: 'test', prefix: '', tls: null, user: null };
  const admin = new KafkaClient(settings).kafka.admin();
  await admin.connect();
  const configEntries = [{ name: 'retention.ms', value: '1000' }];
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name, configEntries }] });
  await admin.createPartitions({
    topicPartitions: [{ topic: `${fleet}.bpf.signals.v1`, count: 17 }],
  });
  // The brokers hear of it a moment after the controller.
  const planHas = async (part: string) =>
    (await topics('plan')).lines.some((line) => line.includes(part));
  await waitFor('the partition', () => planHas('bpf.signals.v1: 17'));
  await waitFor('the setting', () => planHas('retention.ms: 1000'));
  const drifted = await topics('check');
  assert.equal(drifted.code, 1);
  const [partitions, ...others] = drifted.lines;
  assert.match(partitions ?? '', /bpf\.signals\.v1: 17 -> 16 \(by hand/);
  assert.ok(others.includes(`setting ${name} retention.ms: 1000 -> 2592000000`));
  // What apply can mend it mends; the rest still fails.
  assert.equal((await topics('apply')).code, 1);
  assert.equal((await topics('check')).lines.length, 1);
  await admin.disconnect();
});

test('brokers that are not there, and an address that is none', async () => {
  const away = await run('./warden', ['topics', 'plan', '--kafka', '127.0.0.1:1']);
  assert.equal(away.code, 69);
  assert.match(away.stderr, /^warden: UNREACHABLE: kafka: connect: .*ECONNREFUSED/);
  const none = await run('./warden', ['topics', 'plan', '--kafka', 'nowhere']);
  assert.equal(none.code, 78);
});

test('the contract: every topic, partitions that divide 64, a role for each service', () => {
  const { topics: all, roles } = fleetContract();
  for (const { partitions } of all) assert.equal(64 % partitions, 0);
  const events = all.find(({ topic }) => topic === 'bpf.events');
  assert.equal(events?.settings['message.timestamp.type'], 'LogAppendTime');
  const writers = (topic: string) =>
    roles.filter(({ writes }) => (writes as string[]).includes(topic)).map(({ role }) => role);
  assert.deepEqual(writers('bpf.tiers'), ['enricher'], 'nobody else says what a tier is');
  assert.deepEqual(writers('bpf.trust'), ['enricher']);
  assert.deepEqual(writers('bpf.policy'), ['operator']);
  // The state of a partition goes with it: its topics are shared out alike.
  const alike = ['bpf.events', 'bpf.trust', 'bpf.overrides', 'bpf.external'];
  const counts = all.filter(({ topic }) => alike.includes(topic)).map((one) => one.partitions);
  assert.equal(new Set(counts).size, 1);
});
