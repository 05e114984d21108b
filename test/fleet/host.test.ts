import assert from 'node:assert/strict';
import { chmodSync, copyFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { SubjectsMap } from '#bpf';
import { decode, type Event } from '#event';
import { KafkaLog } from '#log/kafka';
import { killTree, type Placed, place, run, Warden, waitFor } from '#testkit';
import { Service } from './process.ts';
import { environment, freshFleet, servers } from './servers.ts';
import { recordsOf } from './truth.ts';

const CHURN = resolve(import.meta.dirname, '../../bpf/build/workloads/churn');
const HOST = 'web-1';
const RESTRICTED = 2;

const real = await servers();
after(() => real.stop());

interface Seen {
  readonly event: Event;
  readonly signals: readonly string[];
}

async function seen(log: KafkaLog): Promise<Seen[]> {
  const records = (await recordsOf(log, 'bpf.enriched')).flat();
  return records.map(({ value }) => {
    const enriched = decode('Enriched', value as Uint8Array);
    return { event: decode('Event', enriched.event), signals: enriched.signals };
  });
}

type Wanted = (one: Seen) => boolean;

function find(log: KafkaLog, host: Service, what: string, wanted: Wanted): Promise<Seen> {
  const look = async () => {
    assert.ok(host.isRunning, 'the host has ended');
    return (await seen(log)).find(wanted);
  };
  return waitFor(what, look, 60_000);
}

const detail = ({ event }: Seen, key: string) =>
  event.details.find((one) => one.key === key)?.value;

function tierOf(at: Placed): number | undefined {
  const map = new SubjectsMap(join(at.run, 'bpf/subjects'));
  const entries = map.read();
  map.close();
  return entries.find(({ kind, id }) => kind === 3 && id === 0)?.tier;
}

test('an act on a host, Kafka, the enricher, Redis, and back into the kernel', async () => {
  const at = place('fleet-host');
  const fleet = await freshFleet(real, { partitions: 4 });
  const env = environment(fleet, at, HOST);
  const keys = join(at.root, 'fleet');
  const enrolled = await run('./warden', [
    'host',
    'enroll',
    HOST,
    '--state',
    keys,
    '--out',
    at.state,
  ]);
  assert.equal(enrolled.code, 0, enrolled.stderr);
  const startEnricher = () => new Service(['enricher', '--state', keys], env);
  const startHost = () => new Service(['collector', '--state', at.state], env);
  const log = new KafkaLog(fleet.client);
  let enricher = startEnricher();
  const host = startHost();
  try {
    await find(log, host, 'the START of the host', ({ event }) => event.act.command === 'START');
    const churn = join(at.root, 'churn');
    copyFileSync(CHURN, churn);
    chmodSync(churn, 0o755);
    const ran = await run(churn, ['1']);
    assert.equal(ran.code, 0, ran.stderr);
    const act = await find(log, host, 'S07', ({ signals }) => signals.includes('S07'));
    assert.equal(act.event.principal, `uid:0@${HOST}`);
    const enforced = await find(
      log,
      host,
      'ENFORCED',
      ({ event }) => event.act.command === 'ENFORCED',
    );
    assert.equal(detail(enforced, 'after'), 'restricted');
    assert.equal(tierOf(at), RESTRICTED);
    console.log(`from the act to the kernel's map: ${detail(enforced, 'latency_ms')} ms`);

    // Everybody dies; nothing is lost, and nothing is there twice.
    await enricher.kill();
    killTree(host.below, 'SIGKILL');
    const again = await run(churn, ['1']);
    assert.equal(again.code, 0, again.stderr);
    enricher = startEnricher();
    const acts = ({ event }: Seen) => event.process?.comm === 'churn';
    const count = async () => (await seen(log)).filter(acts).length;
    const both = 2 * (await seen(log)).filter((one) => acts(one) && isOf(one, act)).length;
    assert.ok(both > 0);
    await waitFor('the acts of the second run', async () => (await count()) >= both, 60_000);
    assert.equal(tierOf(at), RESTRICTED);
  } catch (error) {
    console.log(enricher.said, host.said);
    throw error;
  } finally {
    await host.stop();
    await enricher.stop();
    Warden.unload(at);
    await log.close();
    at.remove();
  }
});

/** Whether two events are of the same run of a program. */
function isOf(one: Seen, other: Seen): boolean {
  return one.event.process?.pid === other.event.process?.pid;
}
