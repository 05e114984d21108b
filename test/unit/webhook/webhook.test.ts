import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { after, before, test } from 'node:test';
import { decode } from '#event';
import { isAuthentic } from '#fold';
import { LogError } from '#log';
import { openMemoryStore, type Store } from '#state';
import { createLogger } from '#telemetry';
import { startWebhook } from '../../../services/webhook/index.ts';

const TOKEN = 'a-token-of-some-length';
const KEY = Buffer.alloc(32, 3);
const REPORT = {
  id: 'r-17',
  source: 'idp',
  principal: 'uid:10001@corp',
  share: 0.5,
  reason: 'impossible travel',
};

let store: Store;
let broken: LogError | null = null;
let url: string;
let server: Awaited<ReturnType<typeof startWebhook>>;

function start() {
  const commit: Store['commit'] = (request) =>
    broken === null ? store.commit(request) : Promise.reject(broken);
  return startWebhook({
    host: '127.0.0.1',
    port: 0,
    tokenHash: createHash('sha256').update(TOKEN).digest('hex'),
    store: { commit },
    controlKey: KEY,
    logger: createLogger({ level: 'silent', name: 'test' }),
    now: () => 1234,
  });
}

before(async () => {
  store = await openMemoryStore();
  server = await start();
  url = `http://127.0.0.1:${(server.server.address() as AddressInfo).port}/v1/risk`;
});

after(async () => {
  await server.close();
  await store.close();
});

async function post(body: string, authorization = `Bearer ${TOKEN}`) {
  const headers = { 'content-type': 'application/json', authorization };
  const answer = await fetch(url, { method: 'POST', body, headers });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

const stored = () =>
  store.log.read({ topic: 'bpf.external', partition: 0 }, 0, { records: 100, bytes: 1 << 20 });

test('a report is in the log when the caller is told so', async () => {
  assert.deepEqual(await post(JSON.stringify(REPORT)), { status: 202, body: { taken: 1 } });
  const [record] = await stored();
  const value = record?.value as Uint8Array;
  const { mac: _, ...external } = decode('External', value);
  assert.deepEqual(
    { ...external },
    {
      id: 'r-17',
      source: 'idp',
      principal: 'uid:10001@corp',
      permille: 500,
      reason: 'impossible travel',
      timeMs: 1234,
    },
  );
  assert.equal(isAuthentic('External', value, KEY), true);
});

test('what is not right is refused whole, with the place and what belongs there', async () => {
  const before = (await stored()).length;
  const rows: readonly [unknown, number, string][] = [
    [
      [REPORT, { ...REPORT, share: 7 }],
      400,
      'BAD_VALUE: share 7: expected a number from 0.001 to 1',
    ],
    [
      { ...REPORT, share: undefined },
      400,
      'BAD_VALUE: share is missing: expected a number from 0.001 to 1',
    ],
    [{ ...REPORT, id: '' }, 400, 'BAD_VALUE: id is not valid: expected a text of up to 128'],
    [
      { ...REPORT, source: undefined },
      400,
      'BAD_VALUE: source is missing: expected a text of up to 128',
    ],
    [{ ...REPORT, principal: 'bob' }, 400, 'BAD_ID: principal "bob"'],
    [
      { ...REPORT, score: 1 },
      400,
      'BAD_VALUE: unknown key "score": expected id, source, principal, share, reason',
    ],
    ['text', 400, 'BAD_VALUE: expected a JSON object'],
    [[], 400, 'expected 1 to 100 reports'],
    [new Array(101).fill(REPORT), 400, 'expected 1 to 100 reports'],
  ];
  for (const [body, status, error] of rows) {
    const answer = await post(JSON.stringify(body));
    assert.deepEqual([answer.status, answer.body.error], [status, error]);
  }
  assert.equal((await post('{')).status, 400);
  assert.equal((await post(JSON.stringify({ ...REPORT, reason: 'x'.repeat(70_000) }))).status, 413);
  assert.equal((await stored()).length, before);
});

test('without the token nothing is read, and a log that refuses is not hidden', async () => {
  const before = (await stored()).length;
  for (const authorization of ['', 'Bearer wrong', `Basic ${TOKEN}`, `Bearer ${TOKEN}x`]) {
    assert.equal((await post(JSON.stringify(REPORT), authorization)).status, 401);
  }
  broken = new LogError('FULL', 'no space');
  assert.equal((await post(JSON.stringify(REPORT))).status, 503);
  broken = null;
  assert.equal((await stored()).length, before);
});

test('a stop waits for no connection, idle or in the middle of a report', async () => {
  const stopped = await start();
  const { port } = stopped.server.address() as AddressInfo;
  const half = connect(port, '127.0.0.1');
  half.on('error', () => undefined);
  await once(half, 'connect');
  const heard = once(stopped.server, 'request');
  half.write('POST /v1/risk HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{');
  await heard;
  const fromMs = performance.now();
  await stopped.close();
  assert.ok(performance.now() - fromMs < 2000);
  half.destroy();
});
