import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { decode } from '#event';
import { KafkaLog } from '#log/kafka';
import { place, Warden, waitFor } from '#testkit';
import { Service } from './process.ts';
import { environment, freshFleet, servers } from './servers.ts';
import { recordsOf } from './truth.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const HOST = 'web-1';
const UNAVAILABLE = 69;

const real = await servers();
const at = place('fleet-release');
const release = join(at.root, 'release');
after(async () => {
  await real.stop();
  at.remove();
});
execFileSync(process.execPath, [join(ROOT, 'setup/release.ts'), release]);

/** A verb of the release, away from any checkout. */
function ask(verb: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const options = { cwd: at.root, env: { HOME: at.root, ...env }, encoding: 'utf8' } as const;
  return spawnSync(join(release, 'warden'), verb, options);
}

test('a release has its own way to the brokers, without the packages of a checkout', () => {
  const { status, stderr } = ask(['topics', 'plan'], { WARDEN_KAFKA: '127.0.0.1:1' });
  assert.match(stderr, /UNREACHABLE: kafka/);
  assert.equal(status, UNAVAILABLE);
});

test('its collector sends, its enricher folds, and its verify finds all right', async (t) => {
  const fleet = await freshFleet(real, { partitions: 4 });
  const keys = join(at.root, 'fleet');
  const env = environment(fleet, at, HOST);
  const enrolled = ask(['host', 'enroll', HOST, '--state', keys, '--out', at.state], env);
  assert.equal(enrolled.status, 0, enrolled.stderr);
  const host = new Service(['collector', '--state', at.state], env, release);
  const enricher = new Service(['enricher', '--state', keys], env, release);
  const log = new KafkaLog(fleet.client);
  t.after(async () => {
    await Promise.all([host.stop(), enricher.stop(), log.close()]);
    Warden.unload(at);
  });
  const folded = async () => {
    assert.ok(host.isRunning && enricher.isRunning, `${host.said}${enricher.said}`);
    const records = (await recordsOf(log, 'bpf.enriched')).flat();
    const events = records.map(({ value }) => decode('Enriched', value as Uint8Array).event);
    return events.some((event) => decode('Event', event).act.command === 'START');
  };
  await waitFor('the START of the host, with its trust', folded, 60_000);
  assert.equal(await host.stop(), 0, host.said);
  const verified = ask(
    ['verify', '--kafka', fleet.settings.brokers.join(','), '--state', keys],
    env,
  );
  assert.equal(verified.status, 0, `${verified.stdout}${verified.stderr}`);
  assert.match(verified.stdout, /, [1-9]\d* control records: every link and MAC is right\n/);
});
