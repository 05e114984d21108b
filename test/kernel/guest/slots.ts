import { createServer, type Server } from 'node:net';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_MS = 500;
/** As many as there are processors: each guest takes one. */
export const SLOTS = availableParallelism();

/** A name in the kernel's name space of sockets: it goes with its process, however that ends. */
function take(slot: number): Promise<Server | null> {
  const { promise, resolve, reject } = Promise.withResolvers<Server | null>();
  const server = createServer();
  server.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE') resolve(null);
    else reject(error);
  });
  server.listen(`\0bpf-warden-guest-${slot}`, () => resolve(server));
  return promise;
}

/**
 * Waits until one more guest may run on this machine, whoever runs the others. The answer gives the
 * slot back.
 */
export async function takeSlot(say: (text: string) => void): Promise<() => void> {
  for (let tries = 0; ; tries++) {
    for (let slot = 0; slot < SLOTS; slot++) {
      const server = await take(slot);
      if (server !== null) return () => server.close();
    }
    if (tries === 0) say(`waits for one of ${SLOTS} guests that run to end`);
    await sleep(LOOK_MS);
  }
}
