import { parentPort, workerData } from 'node:worker_threads';
import type { Event } from '#event';
import { openSqliteStore } from '#state';
import { createLogger } from '#telemetry';
import { Collector, type CollectorOptions } from './collector.ts';
import { Drain } from './drain.ts';

/** What the thread is given: the options, with the store as a file. */
export type WorkerOptions = Omit<CollectorOptions, 'store' | 'logger'> & {
  readonly database: string;
  readonly logLevel: string;
};

export type ToWorker = { readonly append: Event } | { readonly stop: true };
export type FromWorker = { readonly ready: true };

async function run(options: WorkerOptions): Promise<void> {
  const port = parentPort as NonNullable<typeof parentPort>;
  const logger = createLogger({ level: options.logLevel, name: 'collector' });
  const store = openSqliteStore(options.database);
  const drain = new Drain(await Collector.open({ ...options, store, logger }));
  port.on('message', (message: ToWorker) => {
    if ('stop' in message) drain.stop();
    else drain.append(message.append);
  });
  port.postMessage({ ready: true } satisfies FromWorker);
  await drain.run();
  await store.close();
  port.close();
}

await run(workerData as WorkerOptions);
