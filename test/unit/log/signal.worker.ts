import { parentPort, workerData } from 'node:worker_threads';
import { openSqliteStore } from '#state';

/** Commits once for each message; `end` ends it. */
const store = openSqliteStore(workerData as string);
const port = parentPort;
if (port === null) throw new Error('runs as a worker thread');
port.on('message', async (text: string) => {
  if (text === 'end') {
    await store.close();
    port.close();
    return;
  }
  const value = Buffer.from(text);
  await store.commit({
    outputs: [{ topic: 'bpf.events', lane: 0, key: '', value }],
    state: [],
    position: [],
  });
});
port.postMessage('ready');
