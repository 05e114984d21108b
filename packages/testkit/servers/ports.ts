import { createServer } from 'node:net';

/** Whoever was given one may not listen on it yet. */
const given = new Set<number>();

/** Ports of the loopback that nobody listens on now, none of them twice. */
export async function freePorts(count: number): Promise<number[]> {
  const free: number[] = [];
  while (free.length < count) {
    const fresh = (await unused(count - free.length)).filter((port) => !given.has(port));
    for (const port of fresh) given.add(port);
    free.push(...fresh);
  }
  return free;
}

async function unused(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}
