import { setTimeout as sleep } from 'node:timers/promises';
import { KafkaClient } from '#log/kafka';
import { FLEET_KEY } from './keys.ts';
import { Load } from './load.ts';

/** Other hosts, in a process of their own: so many events a second, until it is ended. */
const [broker = '', prefix = '', rate = '', principals = '', burst = ''] = process.argv.slice(2);
const STEPS = 20;
const settings = { brokers: [broker], clientId: 'beside', prefix, tls: null, user: null };
const client = new KafkaClient(settings);
// Hosts that no other load has: their chains begin here.
const load = await Load.open({ client, fleetKey: FLEET_KEY, hosts: 1000, name: 'beside' });
const startMs = performance.now();
for (let step = 1; ; step++) {
  await load.among(Number(principals), Number(rate) / STEPS, Number(burst));
  await sleep(Math.max(0, startMs + (step * 1000) / STEPS - performance.now()));
}
