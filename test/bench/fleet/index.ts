import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { encode, principalKey } from '#event';
import { brokerName } from '#log/kafka';
import { measureAgent } from './agent.ts';
import { BenchCentre } from './centre.ts';
import { FLEET_KEY } from './keys.ts';
import { actOf, Load } from './load.ts';
import { percentile } from './process.ts';
import { BATCH, FORWARDING, type Forwarded, measureForwarding, measureLatency } from './wire.ts';

/**
 * The fleet's services on one machine, with a real broker and a real Redis: all figures of one run.
 * Ratios to librdkafka come from the same broker; the reference of the enricher is Kafka Streams.
 */
const PARTITIONS = 4;
const EVENTS = 300_000;
const RAW_EVENTS = 300_000;
const PRINCIPALS = 100_000;
const HOSTS = 1000;
const BURST = 4;
const TURNS = 3;
const LIVE = { perSecond: 200, seconds: 20 } as const;

type Record = (what: string, value: number, unit: string, note?: string) => void;

const median = (values: readonly number[]) => percentile(values, 50);

/** What librdkafka alone and a host's user half get through to acknowledgement, in turn. */
export async function wire(record: Record): Promise<void> {
  const centre = await BenchCentre.open(PARTITIONS);
  const { at, fleet } = centre;
  try {
    const program = join(at.root, 'raw');
    const source = join(import.meta.dirname, 'raw.c');
    execFileSync('cc', ['-O2', '-o', program, source, '-lrdkafka']);
    // Principals of one host, some acts of each behind one another.
    const events = Array.from({ length: 10 * BATCH }, (_, n) =>
      actOf(principalKey(`uid:${1000 + (Math.floor(n / BURST) % 100)}@${FORWARDING}`), 'plain'),
    );
    const bytes = encode('Event', events[0] as (typeof events)[0]).length;
    const topic = brokerName('bpf.enriched', fleet.prefix);
    const ours: Forwarded[] = [];
    const raw: number[] = [];
    for (let turn = 0; turn < TURNS; turn++) {
      const asked = [topic, `${PARTITIONS}`, `${RAW_EVENTS}`, `${bytes}`];
      const [broker = ''] = fleet.settings.brokers;
      raw.push(Number(execFileSync(program, [broker, ...asked], { encoding: 'utf8' })));
      ours.push(
        await measureForwarding(centre, { events, count: EVENTS, life: `forwarding-${turn}` }),
      );
    }
    record('librdkafka, acknowledged', median(raw), 'events/s', `${bytes} bytes a message`);
    const rates = ours.map(({ perSecond }) => perSecond);
    record('host to acknowledged', median(rates), 'events/s', 'sealed, in the local log, sent');
    const cpu = ours.map(({ cpuUs }) => cpuUs);
    record('host to acknowledged, CPU', median(cpu), 'µs/event', 'all of its threads');
    const ratios = rates.map((one, turn) => one / (raw[turn] as number));
    record('host to acknowledged / librdkafka', median(ratios), '×', `median of ${TURNS}`);
  } finally {
    await centre.close();
  }
}

/** What an enricher folds, then how long a tier takes into the kernel. */
async function fold(record: Record): Promise<void> {
  const centre = await BenchCentre.open(PARTITIONS);
  const load = await Load.open({ client: centre.fleet.client, fleetKey: FLEET_KEY, hosts: HOSTS });
  try {
    await load.among(PRINCIPALS, EVENTS, BURST);
    const enricher = await centre.enricher();
    await enricher.live(PARTITIONS);
    const { events, seconds, cpu } = await enricher.drain(EVENTS);
    const perMillion = (value: number) => (value / events) * 1e6;
    const most = events / seconds;
    const what = `${PRINCIPALS} principals, ${BURST} events a frame`;
    record('enricher', most, 'events/s', what);
    record('enricher, CPU', perMillion(cpu.enricher), 's/million', 'all of its threads');
    record('its broker, CPU', perMillion(cpu.kafka), 's/million');
    record('its Redis, CPU', perMillion(cpu.redis), 's/million');
    record('enricher, memory', enricher.residentMb, 'MiB');
    await load.close();
    for (const [name, beside] of [
      ['200 events/s', 0],
      ['half of the most', Math.round(most / 2)],
    ] as const) {
      const found = await measureLatency({ centre, beside, ...LIVE });
      const count = `${found.length} tiers`;
      record(`act to the kernel's map, ${name}, p50`, percentile(found, 50), 'ms', count);
      record(`act to the kernel's map, ${name}, p99`, percentile(found, 99), 'ms', count);
    }
  } finally {
    await centre.close();
  }
}

/** A host that has much to do; on the kernel of this machine. */
async function agent(record: Record): Promise<void> {
  const { perSecond, seconds } = LIVE;
  const { mb, percent, sent } = await measureAgent(perSecond, seconds);
  record('agent, memory', mb, 'MiB', `${perSecond} events/s; ${sent} records sent`);
  record('agent, processor', percent, '% of a core', `over ${seconds} s`);
}

export async function fleet(record: Record): Promise<void> {
  await agent(record);
  await wire(record);
  await fold(record);
}
