import { Worker } from 'node:worker_threads';
import type { Event } from '#event';
import { Collector, type CollectorOptions } from './collector.ts';
import { Drain } from './drain.ts';
import type { FromWorker, ToWorker, WorkerOptions } from './worker.ts';

export { Collector, type CollectorOptions } from './collector.ts';
export { systemEvent } from './losses.ts';
export type { WorkerOptions } from './worker.ts';

/** A collector at work, as the rest of its process sees it. */
export interface RunningCollector {
  /** Stores an event of the system's own with one of the next batches. */
  append(event: Event): void;
  /** Drains, stores STOP, ends. */
  stop(): Promise<void>;
  /** Ends it where it is: what is not stored is still in the rings. */
  terminate(): Promise<void>;
  /** Rejects when it ends by an error; resolves after `stop`. */
  readonly ended: Promise<void>;
}

/** Starts the collector in a thread of its own: for a process that folds beside it. */
export async function startCollector(options: WorkerOptions): Promise<RunningCollector> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: options });
  const ended = new Promise<void>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`the collector's thread ended with ${code}`));
    });
  });
  const ready = new Promise<void>((resolve) => {
    worker.once('message', ({ ready }: FromWorker) => {
      if (ready) resolve();
    });
  });
  await Promise.race([ready, ended]);
  const send = (message: ToWorker) => worker.postMessage(message);
  return {
    append: (appended) => send({ append: appended }),
    stop: async () => {
      send({ stop: true });
      await ended;
    },
    terminate: async () => {
      await worker.terminate();
    },
    ended,
  };
}

/** Runs the collector in this thread: for one that has little else to do. */
export async function runCollector(options: CollectorOptions): Promise<RunningCollector> {
  const drain = new Drain(await Collector.open(options));
  const ended = drain.run();
  // Whoever waits for the end hears of it.
  ended.catch(() => undefined);
  return {
    append: (event) => drain.append(event),
    stop: async () => {
      drain.stop();
      await ended;
    },
    terminate: async () => {
      drain.abandon();
      await ended.catch(() => undefined);
    },
    ended,
  };
}
