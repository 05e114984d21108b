import { setImmediate as turn } from 'node:timers/promises';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { native } from '#bpf';
import type { Event } from '#event';
import { openSqliteStore } from '#state';
import { createLogger } from '#telemetry';
import { Collector, type CollectorOptions } from './collector.ts';

/** What the thread is given: the options, with the store as a file. */
export type WorkerOptions = Omit<CollectorOptions, 'store' | 'logger' | 'whileWaiting'> & {
  readonly database: string;
  readonly logLevel: string;
};

export type ToWorker = { readonly append: Event } | { readonly stop: true };
export type FromWorker =
  | { readonly ready: { readonly event: number } }
  | { readonly stopped: true };

/** After a wake the kernel sends none for 20 ms: what came meanwhile is fetched after 25. */
const FOLLOW_UP_MS = 25;

async function run(options: WorkerOptions): Promise<void> {
  const port = parentPort as NonNullable<typeof parentPort>;
  const logger = createLogger({ level: options.logLevel, name: 'collector' });
  const store = await openSqliteStore(options.database);
  let stop = false;
  const early: Event[] = [];
  let collector: Collector | null = null;
  const hear = () => {
    for (let got = receiveMessageOnPort(port); got; got = receiveMessageOnPort(port)) {
      const message = got.message as ToWorker;
      if ('stop' in message) {
        stop = true;
        collector?.requestStop();
      } else if (collector === null) early.push(message.append);
      else collector.append(message.append);
    }
  };
  collector = await Collector.open({ ...options, store, logger, whileWaiting: hear });
  for (const event of early) collector.append(event);
  const event = native().eventOpen();
  const fds = [event, ...collector.fds];
  port.postMessage({ ready: { event } } satisfies FromWorker);
  while (!stop) {
    const { more, stored } = await collector.step();
    await turn();
    if (!more) {
      const timeoutMs = Math.min(stored ? FOLLOW_UP_MS : 1000, Math.ceil(collector.idleMs));
      if (native().wait(fds, timeoutMs) & 1) native().eventDrain(event);
    }
    hear();
  }
  await collector.stop();
  await store.close();
  port.postMessage({ stopped: true } satisfies FromWorker);
  port.close();
}

await run(workerData as WorkerOptions);
