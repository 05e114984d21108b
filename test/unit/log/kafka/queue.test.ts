import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { KafkaClient } from '#log/kafka';

/** Of the answer to ApiVersions, version 0: which requests a broker takes. */
const APIS = [0, 1, 2, 3, 18, 22];

/** Answers what each client asks first, and nothing after that; `asked`: somebody waits in vain. */
async function answering(): Promise<{ port: number; asked: Promise<void>; close(): void }> {
  const sockets = new Set<Socket>();
  const asked = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', (request) => {
      const answer = Buffer.alloc(14 + 6 * APIS.length);
      answer.writeInt32BE(answer.length - 4, 0);
      answer.writeInt32BE(request.readInt32BE(8), 4);
      answer.writeInt16BE(0, 8);
      answer.writeInt32BE(APIS.length, 10);
      for (const [n, api] of APIS.entries()) {
        answer.writeInt16BE(api, 14 + 6 * n);
        answer.writeInt16BE(0, 16 + 6 * n);
        answer.writeInt16BE(1, 18 + 6 * n);
      }
      socket.once('data', () => asked.resolve());
      socket.write(answer);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as { port: number };
  return {
    port,
    asked: asked.promise,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

test('a connection that waits for an answer sets no timers', async (t) => {
  const broker = await answering();
  const brokers = [`127.0.0.1:${broker.port}`];
  const settings = { brokers, clientId: 'quiet', prefix: '', tls: null, user: null };
  const producer = new KafkaClient(settings).kafka.producer({ retry: { retries: 0 } });
  t.after(broker.close);
  // It asks for metadata next, which nobody answers.
  const connecting = producer.connect().then(() => producer.send({ topic: 't', messages: [] }));
  connecting.catch(() => undefined);
  await broker.asked;
  await turn();
  let set = 0;
  const setTimer = globalThis.setTimeout;
  t.mock.method(globalThis, 'setTimeout', (...args: Parameters<typeof setTimer>) => {
    set += 1;
    return setTimer(...args);
  });
  await sleep(200);
  assert.equal(set, 0, 'kafkajs itself sets one every millisecond');
});

const require = createRequire(import.meta.url);
/** Of kafkajs, as it is once our client was imported. */
const Queue = require('kafkajs/src/network/requestQueue');
const Group = require('kafkajs/src/consumer/consumerGroup');
const HOUR_MS = 3_600_000;

function queue() {
  const silent = { debug: () => undefined };
  const settings = { maxInFlightRequests: 1, requestTimeout: 5, enforceRequestTimeout: true };
  return new Queue({ ...settings, clientId: 'test', broker: 'none', logger: silent });
}

test('a clock set back keeps no request from being sent, nor from being given up', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 2 * HOUR_MS });
  const one = queue();
  one.maybeThrottle(1000);
  assert.equal(one.canSendSocketRequestImmediately(), false);
  t.mock.timers.setTime(HOUR_MS);
  one.maybeThrottle(0);
  assert.equal(one.canSendSocketRequestImmediately(), true);
  let gaveUp = 0;
  const timeoutRequest = () => {
    gaveUp += 1;
  };
  one.inflight.set(1, { sentAt: 2 * HOUR_MS, requestTimeout: 5, timeoutRequest });
  one.scheduleRequestTimeoutCheck();
  await sleep(20);
  t.mock.timers.tick(6);
  await sleep(20);
  one.destroy();
  assert.ok(gaveUp > 0);
});

test('after the clock was set back a member still says that it is there', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 2 * HOUR_MS });
  const coordinator = { said: 0, heartbeat: async () => (coordinator.said += 1) };
  const group = new Group({
    groupId: 'g',
    retry: {},
    logger: { namespace: () => ({}) },
    cluster: {},
    topics: [],
    topicConfigurations: {},
    instrumentationEmitter: { emit: () => undefined },
  });
  Object.assign(group, { coordinator, memberId: 'm', generationId: 1 });
  await group.heartbeat({ interval: 1000 });
  assert.equal(coordinator.said, 0);
  t.mock.timers.setTime(HOUR_MS);
  await group.heartbeat({ interval: 1000 });
  await group.heartbeat({ interval: 1000 });
  assert.equal(coordinator.said, 1);
  t.mock.timers.tick(1000);
  await group.heartbeat({ interval: 1000 });
  assert.equal(coordinator.said, 2);
});
