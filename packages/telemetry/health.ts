import { createServer, type Server } from 'node:http';
import { type Metric, prometheusText } from './metrics.ts';

/** What a service says of itself. `live`: it need not be started again; `ready`: it works. */
export interface Health {
  readonly live: boolean;
  readonly ready: boolean;
  /** Anything that helps a person; no secrets. */
  readonly status: unknown;
  /** Numbers by name, as Prometheus reads them. */
  readonly metrics: readonly Metric[];
}

const PATHS = ['/healthz', '/readyz', '/metrics'];
const TIMEOUT_MS = 5000;
const CONNECTIONS_MAX = 64;

/**
 * Serves `GET /healthz`, `/readyz` and `/metrics`: 200, or 503 with the same text where the answer
 * is no. For a loopback address, or one that only those who watch can reach.
 */
export async function serveHealth(
  { host, port }: { readonly host: string; readonly port: number },
  ask: () => Health | Promise<Health>,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server: Server = createServer(async ({ method, url = '' }, response) => {
    const path = url.split('?')[0] ?? '';
    if (method !== 'GET' || !PATHS.includes(path)) {
      response.writeHead(404).end('GET /healthz, /readyz or /metrics\n');
      return;
    }
    try {
      const { live, ready, status, metrics } = await ask();
      if (path === '/metrics') {
        response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
        response.end(prometheusText(metrics));
        return;
      }
      const good = path === '/healthz' ? live : ready;
      response.writeHead(good ? 200 : 503, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify({ live, ready, status })}\n`);
    } catch (error) {
      response.writeHead(503).end(`${(error as Error).message}\n`);
    }
  });
  server.requestTimeout = TIMEOUT_MS;
  server.headersTimeout = TIMEOUT_MS;
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { port: (server.address() as { port: number }).port, close };
}
