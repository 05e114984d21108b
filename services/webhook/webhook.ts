import { createHash, timingSafeEqual } from 'node:crypto';
import { type FastifyInstance, fastify } from 'fastify';
import { EventError, encode, laneOf, riskOf } from '#event';
import { seal } from '#fold';
import { LogError, type Output } from '#log';
import type { Store } from '#state';
import type { Logger } from '#telemetry';

export interface WebhookOptions {
  /** Address and port to listen on; a loopback address. */
  readonly host: string;
  readonly port: number;
  /** SHA-256 of the token that callers must show, hex. */
  readonly tokenHash: string;
  readonly store: Pick<Store, 'commit'>;
  readonly controlKey: Uint8Array;
  readonly logger: Logger;
  readonly now: () => number;
}

const BODY_BYTES = 64 * 1024;
const REPORTS_MAX = 100;
const TIMEOUT_MS = 10_000;

/**
 * Takes risk that other systems report (S18): `POST /v1/risk` with `authorization: Bearer TOKEN`
 * and one report or a list of them as JSON. A request is taken whole or not at all; 202 means that
 * its reports are in the log. The same source and id twice changes nothing.
 */
export async function startWebhook(options: WebhookOptions): Promise<FastifyInstance> {
  const server = fastify({
    bodyLimit: BODY_BYTES,
    connectionTimeout: TIMEOUT_MS,
    requestTimeout: TIMEOUT_MS,
    // A stop waits for nobody: whoever got no answer reports again, which changes nothing.
    forceCloseConnections: true,
    logger: false,
  });
  server.setErrorHandler((error: { statusCode?: number; message: string }, _request, reply) =>
    reply.code(error.statusCode ?? 500).send({ error: error.message }),
  );
  server.post('/v1/risk', async ({ headers, body }, reply) => {
    if (!isKnown(headers.authorization, options.tokenHash)) {
      return reply.code(401).send({ error: 'expected authorization: Bearer TOKEN' });
    }
    const { code, answer } = await take(body, options);
    return reply.code(code).send(answer);
  });
  await server.listen({ host: options.host, port: options.port });
  return server;
}

function isKnown(authorization: string | undefined, tokenHash: string): boolean {
  const token = /^Bearer (\S{1,512})$/i.exec(authorization ?? '')?.[1];
  if (token === undefined) return false;
  const found = createHash('sha256').update(token).digest();
  const wanted = Buffer.from(tokenHash, 'hex');
  return found.length === wanted.length && timingSafeEqual(found, wanted);
}

async function take(body: unknown, options: WebhookOptions) {
  const { store, logger } = options;
  const reports = Array.isArray(body) ? body : [body];
  if (reports.length === 0 || reports.length > REPORTS_MAX) {
    return { code: 400, answer: { error: `expected 1 to ${REPORTS_MAX} reports` } };
  }
  const outputs: Output[] = [];
  for (const [index, report] of reports.entries()) {
    const output = outputOf(report, options);
    if ('error' in output) return { code: 400, answer: { error: output.error, index } };
    outputs.push(output);
  }
  try {
    await store.commit({ outputs, state: [], position: [] });
  } catch (error) {
    if (!(error instanceof LogError) || !error.retriable) throw error;
    logger.error({ reason: error.message }, 'a report was not taken: the log refuses');
    return { code: 503, answer: { error: 'the log cannot be written now: try again' } };
  }
  return { code: 202, answer: { taken: outputs.length } };
}

function outputOf(
  report: unknown,
  { controlKey, now }: WebhookOptions,
): Output | { readonly error: string } {
  try {
    const external = seal('External', riskOf(report, now()), controlKey);
    const { principal } = external;
    const value = encode('External', external);
    return { topic: 'bpf.external', lane: laneOf(principal), key: principal, value };
  } catch (error) {
    if (error instanceof EventError) return { error: error.message };
    throw error;
  }
}
