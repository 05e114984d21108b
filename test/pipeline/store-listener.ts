import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_LIMIT } from '#log';
import { openSqliteStore } from '#state';
import { queuedMs } from '../../packages/testkit/processes.ts';

/**
 * Reads whenever it is told of a commit, as `warden tail` does: `store-listener.ts FILE RECORDS`.
 * Records hold the time of their commit. Prints the share of a core that an idle second took, then
 * the ms from each commit to its reading, less those in which it stood in line for a processor.
 */
const [file = '', records = '0'] = process.argv.slice(2);
const EVENTS = { topic: 'bpf.events', partition: 0 } as const;

const store = openSqliteStore(file, { readOnly: true });
let next = 0;
let wake = Promise.withResolvers<void>();
store.onCommit(() => wake.resolve());
const before = process.cpuUsage();
await sleep(1000);
const { user, system } = process.cpuUsage(before);
process.stdout.write(`${(user + system) / 1e6}\n`);
const alive = setInterval(() => undefined, 1000);
let queued = queuedMs();
while (next < Number(records)) {
  await wake.promise;
  wake = Promise.withResolvers<void>();
  for (const { value } of await store.log.read(EVENTS, next, DEFAULT_LIMIT)) {
    const ms = performance.timeOrigin + performance.now() - Number(Buffer.from(value).toString());
    process.stdout.write(`${ms - (queuedMs() - queued)}\n`);
    next += 1;
  }
  queued = queuedMs();
}
clearInterval(alive);
await store.close();
