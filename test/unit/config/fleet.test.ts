import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ConfigError, kafkaConfig, redisConfig } from '#config';

const directory = mkdtempSync(join(tmpdir(), 'warden-config-'));
after(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string, mode = 0o600): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const kafka = (env: Record<string, string>) => kafkaConfig({}, env, 'test');

test('brokers, fleet and user come from options or the environment', () => {
  const password = file('password', 'secret\n');
  const env = { WARDEN_KAFKA_USER: 'host-web-1', WARDEN_KAFKA_PASSWORD_FILE: password };
  const config = kafkaConfig({ kafka: 'k-1:9092, [::1]:9093', fleet: 'east' }, env, 'test');
  assert.deepEqual(config, {
    brokers: ['k-1:9092', '[::1]:9093'],
    clientId: 'test',
    prefix: 'east.',
    tls: null,
    user: { name: 'host-web-1', password: 'secret' },
  });
  const redis = redisConfig({}, { WARDEN_REDIS: '[::1]:6379' });
  assert.deepEqual([redis.host, redis.port, redis.prefix], ['::1', 6379, '']);
});

test('TLS by files, or by the authorities of the system', () => {
  const files = {
    WARDEN_KAFKA_CA: file('ca.pem', 'CA', 0o644),
    WARDEN_KAFKA_CERT: file('cert.pem', 'CERT', 0o644),
    WARDEN_KAFKA_KEY: file('key.pem', 'KEY'),
  };
  const tls = { ca: 'CA', cert: 'CERT', key: 'KEY' };
  assert.deepEqual(kafka({ WARDEN_KAFKA: 'k:1', ...files }).tls, tls);
  assert.deepEqual(kafka({ WARDEN_KAFKA: 'k:1', WARDEN_KAFKA_TLS: '1' }).tls, {});
});

const BAD: readonly (readonly [string, Record<string, string>, RegExp])[] = [
  ['no brokers', {}, /no brokers: name them with --kafka/],
  ['a broker without a port', { WARDEN_KAFKA: 'k' }, /broker "k": expected HOST:PORT/],
  ['a port that is none', { WARDEN_KAFKA: 'k:70000' }, /expected HOST:PORT/],
  ['a fleet with a dot', { WARDEN_KAFKA: 'k:1', WARDEN_FLEET: 'a.b' }, /fleet "a\.b": expected/],
  ['a user without a password', { WARDEN_KAFKA: 'k:1', WARDEN_KAFKA_USER: 'u' }, /name the file/],
  [
    'a password that everybody may read',
    {
      WARDEN_KAFKA: 'k:1',
      WARDEN_KAFKA_USER: 'u',
      WARDEN_KAFKA_PASSWORD_FILE: file('open', 'x', 0o644),
    },
    /everybody may read it: chmod o=/,
  ],
  [
    'a certificate without its key',
    { WARDEN_KAFKA: 'k:1', WARDEN_KAFKA_CERT: file('lone.pem', 'x', 0o644) },
    /one without the other/,
  ],
];

for (const [what, env, message] of BAD) {
  test(`${what} is refused`, () => {
    assert.throws(
      () => kafka(env),
      (error) => error instanceof ConfigError && message.test(error.message),
    );
  });
}
