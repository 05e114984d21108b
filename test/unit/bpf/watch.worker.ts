import { parentPort, workerData } from 'node:worker_threads';
import { Watch } from '#bpf';

/** Watches the fds it is given, and goes on until it is terminated. */
const watch = new Watch(workerData, () => parentPort?.postMessage('told'));
watch.arm(1);
// Held: what nobody holds is collected, and tells of nothing any more.
setInterval(() => void watch, 1000);
parentPort?.postMessage('asked');
