import { parentPort, workerData } from 'node:worker_threads';
import { Watch } from '#bpf';

/** Watches the fds it is given, and goes on until it is terminated. */
const watch = new Watch(workerData, () => parentPort?.postMessage('told'));
watch.arm(1);
setInterval(() => undefined, 1000);
parentPort?.postMessage('asked');
