import { LogError, type LogErrorCode } from '../errors.ts';

/** What a broker or kafkajs calls an error, and what it is to us. */
const TYPES: Readonly<Record<string, LogErrorCode>> = {
  INVALID_PRODUCER_EPOCH: 'FENCED',
  PRODUCER_FENCED: 'FENCED',
  INVALID_TXN_STATE: 'FENCED',
  INVALID_PRODUCER_ID_MAPPING: 'FENCED',
  UNKNOWN_PRODUCER_ID: 'FENCED',
  OUT_OF_ORDER_SEQUENCE_NUMBER: 'FENCED',
  TRANSACTION_COORDINATOR_FENCED: 'FENCED',
  TOPIC_AUTHORIZATION_FAILED: 'DENIED',
  GROUP_AUTHORIZATION_FAILED: 'DENIED',
  CLUSTER_AUTHORIZATION_FAILED: 'DENIED',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'DENIED',
  UNSUPPORTED_SASL_MECHANISM: 'DENIED',
  SASL_AUTHENTICATION_FAILED: 'DENIED',
  MESSAGE_TOO_LARGE: 'TOO_LARGE',
  RECORD_LIST_TOO_LARGE: 'TOO_LARGE',
  UNKNOWN_TOPIC_OR_PARTITION: 'NO_TOPIC',
  OFFSET_OUT_OF_RANGE: 'TRIMMED',
};

/** What the messages of kafkajs mean where it has dropped the broker's own word for it. */
const WORDS: readonly (readonly [RegExp, LogErrorCode])[] = [
  [/not authorized|authorization failed|invalid credentials|SASL .*failed/i, 'DENIED'],
  [/in state "(COMMITTING|ABORTING)"|transaction once ended/, 'FENCED'],
  // TLS, by the words of OpenSSL and of Node: no retry makes a certificate another.
  [/certificate|self-signed|unable to get (local )?issuer|ERR_TLS/i, 'DENIED'],
  [/does not host this topic-partition|Topic metadata not loaded|without metadata/, 'NO_TOPIC'],
];

/** kafkajs answers the same to a coordinator that is away and to a client that may not use it. */
const NO_COORDINATOR = 'KafkaJSGroupCoordinatorNotFound';

/** What kafkajs says, in an error without a name, of a broker whose connection has just ended. */
const NOT_CONNECTED = 'Broker not connected';

interface Cause {
  readonly name?: string;
  readonly type?: string;
  readonly message?: string;
  readonly cause?: unknown;
  readonly originalError?: unknown;
  readonly errors?: readonly unknown[];
}

const DEPTH_MAX = 8;

/** An error and all that it says caused it, outermost first. */
function causesOf(error: unknown, depth = 0): Cause[] {
  if (typeof error !== 'object' || error === null || depth > DEPTH_MAX) return [];
  const one = error as Cause;
  const below = [one.cause, one.originalError, ...(one.errors ?? [])];
  return [one, ...below.flatMap((cause) => causesOf(cause, depth + 1))];
}

function codeOf(causes: readonly Cause[]): LogErrorCode {
  for (const { type } of causes) {
    const code = TYPES[type ?? ''];
    if (code !== undefined) return code;
  }
  for (const { message = '' } of causes) {
    const found = WORDS.find(([words]) => words.test(message));
    if (found !== undefined) return found[1];
  }
  return 'UNREACHABLE';
}

function adviceOf(code: LogErrorCode, causes: readonly Cause[]): string {
  if (causes.some(({ name }) => name === NO_COORDINATOR)) {
    return ': it is away, or this client may not use the group or the transactional id';
  }
  if (causes.some(({ message }) => /certificate|self-signed|issuer|ERR_TLS/i.test(message ?? ''))) {
    return ': see WARDEN_KAFKA_CA, _CERT and _KEY: another authority, or its time is over';
  }
  if (causes.some(({ message }) => /invalid credentials|SASL/.test(message ?? ''))) {
    return ': see WARDEN_KAFKA_USER and WARDEN_KAFKA_PASSWORD_FILE';
  }
  if (causes.some(({ message }) => /Closed connection|ECONNRESET/.test(message ?? ''))) {
    return ': a listener with TLS closes a plain connection without a word';
  }
  if (code === 'NO_TOPIC') return ': ./warden topics plan says what is missing';
  return code === 'DENIED' ? ': ./warden topics plan says which right is missing' : '';
}

/** Any error of kafkajs as ours. `what` says what was being done. */
export function toKafkaError(error: unknown, what: string): LogError {
  if (error instanceof LogError) return error;
  const causes = causesOf(error);
  const isTheirs = ({ name, message }: Cause) =>
    (name?.startsWith('KafkaJS') ?? false) || message === NOT_CONNECTED;
  if (!causes.some(isTheirs)) {
    return new LogError('INTERNAL', `${what}: ${String(error)}`, { cause: error });
  }
  const code = codeOf(causes);
  const said = causes.at(-1)?.message ?? causes[0]?.message ?? 'no reason given';
  // OpenSSL says where in its own source it was; only what it means is for a person.
  const words = said.replace(/[^ ]*:SSL routines:[^:]*:([^:]*):.*$/s, '$1').trim();
  return new LogError(code, `kafka: ${what}: ${words}${adviceOf(code, causes)}`, { cause: error });
}

export function typeOf(error: unknown): string | null {
  return causesOf(error).find(({ type }) => type !== undefined)?.type ?? null;
}
