import { Worker } from 'node:worker_threads';
import { native } from '#bpf';
import type { Event } from '#event';
import type { FromWorker, ToWorker, WorkerOptions } from './worker.ts';

export { Collector, type CollectorOptions } from './collector.ts';
export { systemEvent } from './losses.ts';
export type { WorkerOptions } from './worker.ts';

/** The collector's thread, as the rest of its process sees it. */
export interface CollectorThread {
  /** Stores an event of the system's own with the next batch. */
  append(event: Event): void;
  /** Drains, stores STOP, ends the thread. */
  stop(): Promise<void>;
  /** Ends the thread where it is: what is not stored is still in the rings. */
  terminate(): Promise<void>;
  /** Rejects when the thread ends by an error; resolves after `stop`. */
  readonly ended: Promise<void>;
}

/** Starts the collector in a thread of its own, because its commits block. */
export async function startCollector(options: WorkerOptions): Promise<CollectorThread> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: options });
  const ended = new Promise<void>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`the collector's thread ended with ${code}`));
    });
  });
  const ready = new Promise<number>((resolve) => {
    worker.on('message', (message: FromWorker) => {
      if ('ready' in message) resolve(message.ready.event);
    });
  });
  const event = await Promise.race([ready, ended.then(() => -1)]);
  const send = (message: ToWorker) => {
    worker.postMessage(message);
    native().eventSignal(event);
  };
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
