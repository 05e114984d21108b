import assert from 'node:assert/strict';
import test from 'node:test';
import kafkajs from 'kafkajs';
import { LogError } from '#log';
import { toKafkaError } from '#log/kafka';

const { KafkaJSError, KafkaJSNonRetriableError, KafkaJSNumberOfRetriesExceeded } = kafkajs;

/** An error of a broker as kafkajs hands it on: with its type. */
function typed(type: string): Error {
  return Object.assign(new KafkaJSError(type), { name: 'KafkaJSProtocolError', type });
}

const CASES: readonly (readonly [string, Error, string, boolean])[] = [
  ['a fenced producer', typed('INVALID_PRODUCER_EPOCH'), 'FENCED', true],
  ['a right that is missing', typed('TOPIC_AUTHORIZATION_FAILED'), 'DENIED', false],
  ['a batch that is too large', typed('MESSAGE_TOO_LARGE'), 'TOO_LARGE', false],
  ['a topic that is missing', typed('UNKNOWN_TOPIC_OR_PARTITION'), 'NO_TOPIC', false],
  [
    'a right that is missing, its type lost',
    new KafkaJSNonRetriableError('Not authorized to access topics: [Topic authorization failed]'),
    'DENIED',
    false,
  ],
  [
    'a producer that is stuck after a failed commit',
    new KafkaJSNonRetriableError('Cannot call "beginTransaction" in state "COMMITTING"'),
    'FENCED',
    true,
  ],
  [
    'retries that were in vain, and why',
    new KafkaJSNumberOfRetriesExceeded(typed('INVALID_PRODUCER_EPOCH'), {
      retryCount: 3,
      retryTime: 9,
    }),
    'FENCED',
    true,
  ],
  ['anything else', new KafkaJSError('Connection error: ECONNREFUSED'), 'UNREACHABLE', true],
];

for (const [what, error, code, retriable] of CASES) {
  test(`${what}: ${code}`, () => {
    const ours = toKafkaError(error, 'a test');
    assert.equal(ours.code, code);
    assert.equal(ours.retriable, retriable);
    assert.equal(ours.cause, error);
    assert.match(ours.message, /a test/);
  });
}

test('a coordinator that is not found: away, or not allowed', () => {
  const error = Object.assign(new KafkaJSError('Failed to find group coordinator'), {
    name: 'KafkaJSGroupCoordinatorNotFound',
  });
  assert.match(toKafkaError(error, 'join').message, /away, or this client may not use/);
});

test('what is not of kafkajs is a mistake of ours; what is ours stays', () => {
  assert.equal(toKafkaError(new TypeError('x'), 'a test').code, 'INTERNAL');
  const own = new LogError('CLOSED', 'x');
  assert.equal(toKafkaError(own, 'a test'), own);
});
