import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { hostName, incarnation } from '#event';
import { KafkaClient } from '#log/kafka';
import { openSqliteStore } from '#state';
import { createLogger } from '#telemetry';
import { Forwarder } from '../../services/collector/forwarder.ts';
import { Lanes } from '../../services/collector/lanes.ts';
import { eventOf, HOST, made } from '../pipeline/live-fold.ts';

/**
 * A host's user half without a kernel: stores events as a collector does, a batch a commit, and
 * forwards them. Killed anywhere, it goes on where its store stands.
 */
const [database = '', broker = '', prefix = '', key = '', eventsText = '', seedText = ''] =
  process.argv.slice(2);
const EVENTS = Number(eventsText);
const BATCH = 50;
const PAUSE_MS = 25;
const FED = 'fed';

const settings = { brokers: [broker], clientId: 'feeder', prefix, tls: null, user: null };
const client = new KafkaClient(settings);
const store = openSqliteStore(database);
const logger = createLogger({ level: 'error', name: 'feeder' });
const lanes = await Lanes.open(store, {
  host: hostName(HOST),
  incarnation: incarnation('00000000000000aa'),
  key: Buffer.from(key, 'hex'),
});
const forwarder = await Forwarder.open({
  store,
  client,
  logger,
  onAged: () => undefined,
  now: Date.now,
});
const ended = new AbortController();
const forwarding = forwarder.run(ended.signal);
const stored = await store.get('host', 0, FED);
for (let at = Number(Buffer.from(stored ?? []).toString()); at < EVENTS; at += BATCH) {
  const items = fc.sample(made, { seed: Number(seedText) + at, numRuns: BATCH });
  const events = items.map((item) => eventOf(item, Date.now()));
  const { outputs, state } = lanes.seal(events);
  const fed = Buffer.from(`${at + BATCH}`);
  const change = { space: 'host', lane: 0, key: FED, value: fed } as const;
  await store.commit({ outputs, state: [...state, change], position: [] });
  await sleep(PAUSE_MS);
}
while ((await forwarder.lag()) > 0) await sleep(20);
ended.abort();
await forwarding;
await forwarder.close();
await store.close();
