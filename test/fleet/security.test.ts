import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { LogError } from '#log';
import {
  type FleetTopic,
  IdempotentWriter,
  IMPATIENT,
  KafkaClient,
  KafkaLog,
  type KafkaSettings,
  Membership,
  TransactionalWriter,
} from '#log/kafka';
import { defaultPolicy } from '#policy';
import { RedisView, ViewError, viewKey } from '#state/redis';
import { run, waitFor } from '#testkit';
import { Authority, KafkaServer, RedisServer } from '#testkit/servers';
import { FleetEnricher } from '../../services/enricher/fleet.ts';
import { quiet } from '../chaos/bed.ts';
import { HOST, KEYS } from '../pipeline/live-fold.ts';
import { Feed } from './feed.ts';
import { CONTROL } from './servers.ts';
import { assertFolded, assertView, enriched } from './truth.ts';

const directory = mkdtempSync(join(tmpdir(), 'warden-tls-'));
const authority = new Authority(directory);
const stranger = new Authority(directory, 'stranger');
const users = {
  admin: 'admin-secret',
  enricher: 'enricher-secret',
  console: 'console-secret',
  'host-web-1': 'web-1-secret',
};
const kafka = await KafkaServer.start({ secure: { authority, users, admin: 'admin' } });
const aclFile = readFileSync(resolve(import.meta.dirname, '../../deploy/redis/users.acl'), 'utf8');
const redis = await RedisServer.start({
  secure: {
    authority,
    users: aclFile.replace('user enricher on', 'user enricher on >view-secret'),
  },
});
after(async () => {
  await Promise.all([kafka.stop(), redis.stop()]);
  rmSync(directory, { recursive: true, force: true });
});

type Access = Pick<KafkaSettings, 'tls' | 'user'> & { readonly brokers?: readonly string[] };

const ca = authority.pem;
const as = (name: keyof typeof users): Access => ({
  tls: { ca },
  user: { name, password: users[name] },
});

/** By mutual TLS: the common name is the user. */
function byCertificate(name: string, issuer = authority, days = 2): Access {
  const { cert, key } = issuer.issue(name, { days });
  return { tls: { ca, cert, key }, user: null, brokers: [`127.0.0.1:${kafka.mutual}`] };
}

/** Patient as a service is, where `retry` does not say otherwise. */
function serviceOf(access: Access, retry?: typeof IMPATIENT): KafkaClient {
  const common = { brokers: kafka.addresses, clientId: 'test', prefix: '' };
  return new KafkaClient({ ...common, ...access }, null, retry);
}

const clientOf = (access: Access) => serviceOf(access, IMPATIENT);

const redisAs = (name: string, password: string, from = authority) =>
  new RedisView(
    {
      host: '127.0.0.1',
      port: redis.port,
      prefix: '',
      user: { name, password },
      tls: { ca: from.pem },
    },
    viewKey(CONTROL),
  );

async function topics(verb: string, name: keyof typeof users = 'admin') {
  const file = join(directory, `${name}.password`);
  writeFileSync(file, `${users[name]}\n`, { mode: 0o600 });
  const more = ['--brokers', '1', '--rights', '--hosts', HOST];
  return run('./warden', ['topics', verb, '--kafka', kafka.addresses.join(','), ...more], {
    env: {
      ...process.env,
      WARDEN_KAFKA_CA: authority.file,
      WARDEN_KAFKA_USER: name,
      WARDEN_KAFKA_PASSWORD_FILE: file,
    },
  });
}

test('topics apply makes the rights of the contract; one more or less is drift', async () => {
  const applied = await topics('apply');
  assert.equal(applied.code, 0, applied.stderr);
  assert.equal((await topics('check')).stdout, '');
  const admin = clientOf(as('admin')).kafka.admin();
  await admin.connect();
  const tiers = { resourceType: 2, resourceName: 'bpf.tiers.v1', resourcePatternType: 3 } as const;
  const entry = { ...tiers, principal: 'User:host-web-1', host: '*', permissionType: 3 } as const;
  await admin.deleteAcls({ filters: [{ ...entry, operation: 3 }] });
  await admin.createAcls({ acl: [{ ...entry, operation: 4 }] });
  await admin.disconnect();
  // The brokers hear of it a moment after the controller.
  const drifted = await waitFor('both changes', async () => {
    const checked = await topics('check');
    return checked.stdout.trim().split('\n').length === 2 && checked;
  });
  assert.equal(drifted.code, 1);
  assert.match(drifted.stdout, /User:host-web-1 READ topic bpf\.tiers\.v1: missing -> allowed/);
  assert.match(drifted.stdout, /User:host-web-1 WRITE topic bpf\.tiers\.v1: allowed -> not wanted/);
  assert.equal((await topics('apply')).code, 0);
  assert.equal((await topics('check')).code, 0);
});

test('a host by mutual TLS, an enricher by SCRAM, Redis by TLS: it all works', async (t) => {
  const feed = await Feed.open(serviceOf(byCertificate(`host-${HOST}`)));
  const view = redisAs('enricher', 'view-secret');
  const log = new KafkaLog(serviceOf(as('admin')));
  t.after(() => Promise.all([feed.close(), log.close(), view.close()]));
  const enricher = await FleetEnricher.start({
    client: serviceOf(as('enricher')),
    view,
    keys: KEYS,
    policy: defaultPolicy(),
    logger: quiet(),
    now: () => Date.now(),
  });
  t.after(() => enricher.stop());
  await feed.send(200);
  await enriched(log, feed.events);
  await assertFolded(log, feed.events);
  await assertView(log, view);
  assert.ok(enricher.status.every(({ redis: is }) => is === 'followed'));
  const tiers = new KafkaLog(clientOf(as('host-web-1')), 'uncommitted');
  assert.ok((await tiers.end({ topic: 'bpf.tiers', partition: 0 })) > 0);
  await tiers.close();
});

const record = (topic: FleetTopic) => [
  { topic, partition: 0, lane: 0, key: 'x', value: Buffer.from('x') },
];
const send = async (access: Access, topic: FleetTopic = 'bpf.events') => {
  const writer = new IdempotentWriter(clientOf(access));
  await writer.send(record(topic)).finally(() => writer.close());
};
const read = async (access: Access) => {
  const log = new KafkaLog(clientOf(access));
  const place = { topic: 'bpf.trust', partition: 0 } as const;
  await log.readSparse(place, 0, { records: 1, bytes: 1 }).finally(() => log.close());
};

test('a host writes heartbeats and checkpoints, which consoles read', async (t) => {
  const log = new KafkaLog(clientOf(as('console')));
  t.after(() => log.close());
  for (const topic of ['bpf.hosts', 'bpf.checkpoints'] as const) {
    await send(as('host-web-1'), topic);
    const { records } = await log.readSparse({ topic, partition: 0 }, 0, { records: 9, bytes: 99 });
    assert.deepEqual(
      records.map(({ key }) => key),
      ['x'],
    );
  }
});

/** Until the group is lost: whether one may use it shows after the join only. */
const joined = async (access: Access) => {
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => undefined);
  const membership = await Membership.join({
    client: clientOf(access),
    group: 'enricher',
    topic: 'bpf.tiers',
    onAssigned: () => undefined,
    onLost: lost.reject,
  });
  await lost.promise.finally(() => membership.leave());
};

const REFUSED: readonly (readonly [string, () => Promise<unknown>, LogError['code'], RegExp])[] = [
  [
    'a wrong password',
    () => send({ tls: { ca }, user: { name: 'enricher', password: 'wrong-secret' } }),
    'DENIED',
    /invalid credentials.*: see WARDEN_KAFKA_USER and WARDEN_KAFKA_PASSWORD_FILE/,
  ],
  [
    'an unknown authority of the broker',
    () => send({ tls: { ca: stranger.pem }, user: { name: 'enricher', password: 'x' } }),
    'DENIED',
    /self-signed certificate.*: see WARDEN_KAFKA_CA/,
  ],
  [
    'an expired certificate of a client',
    () => send(byCertificate(`host-${HOST}`, authority, -1)),
    'DENIED',
    /certificate.*: see WARDEN_KAFKA_CA, _CERT and _KEY/i,
  ],
  [
    'a certificate of a foreign authority',
    () => send(byCertificate(`host-${HOST}`, stranger)),
    'DENIED',
    /certificate.*: see WARDEN_KAFKA_CA, _CERT and _KEY/i,
  ],
  [
    'no certificate where one is required',
    () => send({ tls: { ca }, user: null, brokers: [`127.0.0.1:${kafka.mutual}`] }),
    'DENIED',
    /certificate.*: see WARDEN_KAFKA_CA, _CERT and _KEY/i,
  ],
  [
    'no TLS to a listener with TLS',
    () => send({ tls: null, user: null }),
    'UNREACHABLE',
    /a listener with TLS closes a plain connection without a word/,
  ],
  [
    'a host that says what a tier is',
    () => send(as('host-web-1'), 'bpf.tiers'),
    'DENIED',
    /\.\/warden topics plan says which right is missing/,
  ],
  [
    'an enricher that speaks for a host',
    () => send(as('enricher'), 'bpf.hosts'),
    'DENIED',
    /\.\/warden topics plan says which right is missing/,
  ],
  [
    'a host that reads the trust of others',
    () => read(as('host-web-1')),
    'DENIED',
    /\.\/warden topics plan says which right is missing/,
  ],
  [
    'a host in the group of the enrichers',
    () => joined(as('host-web-1')),
    'UNREACHABLE',
    /group enricher: .*may not use the group/,
  ],
  [
    'a host under the transactional id of an enricher',
    () => TransactionalWriter.open(clientOf(as('host-web-1')), 'enricher-0'),
    'UNREACHABLE',
    /transactional id enricher-0: .*may not use/,
  ],
];

for (const [what, work, code, words] of REFUSED) {
  test(`${what}: a clear error`, async () => {
    await assert.rejects(work, (error) => {
      assert.ok(error instanceof LogError, `${error}`);
      assert.match(error.message, words);
      assert.equal(error.code, code);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  });
}

test('a service that may not make topics says so, and no secret', async () => {
  const { code, stderr, stdout } = await topics('apply', 'enricher');
  assert.equal(code, 77, stderr);
  assert.match(stderr, /^warden: DENIED: kafka: .*authoriz/i);
  assert.doesNotMatch(stderr + stdout, /enricher-secret/);
});

const REFUSED_BY_REDIS: readonly (readonly [string, () => RedisView, RegExp])[] = [
  ['a wrong password', () => redisAs('enricher', 'wrong-secret'), /WRONGPASS.*WARDEN_REDIS_USER/],
  ['the default user', () => redisAs('default', 'x'), /WRONGPASS|NOAUTH/],
  ['an unknown authority', () => redisAs('enricher', 'x', stranger), /see WARDEN_REDIS_CA/],
];

for (const [what, open, words] of REFUSED_BY_REDIS) {
  test(`Redis, ${what}: a clear error`, async (t) => {
    const view = open();
    t.after(() => view.close());
    await assert.rejects(view.ready(2000), (error) => {
      assert.ok(error instanceof ViewError, `${error}`);
      assert.match(error.message, words);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  });
}
