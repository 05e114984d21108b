import { basename } from 'node:path';

/**
 * The closed list of what a log or store can answer instead of doing what was asked.
 *
 * | code | retriable | meaning |
 * |---|---|---|
 * | TRIMMED | no | the offset lies before the first record still there |
 * | BEYOND_END | no | the offset lies behind the end: the log was cut, or it is another log |
 * | BAD_REQUEST | no | an argument outside the contract |
 * | TOO_LARGE | no | a value, key or commit above its limit |
 * | FULL | yes | no space on the device; nothing of the commit happened |
 * | LOCKED | yes | another connection held the file longer than the busy timeout |
 * | READ_ONLY | no | the store was opened read-only, or the file cannot be written |
 * | CANNOT_OPEN | no | the file or its directory is missing or refuses access |
 * | CORRUPT | no | the file is damaged: set it aside |
 * | FOREIGN | no | a database that is not ours |
 * | NEWER | no | a file of a newer version of this software |
 * | IO | no | the device failed |
 * | NO_MEMORY | no | memory ran out |
 * | UNREACHABLE | yes | no broker answered in time; nothing is known to have happened |
 * | FENCED | yes | another writer has this part of the log, or this one was too slow: begin anew |
 * | DENIED | no | the brokers know who we are and refuse, or do not know us |
 * | NO_TOPIC | no | a topic or partition is missing on the brokers |
 * | CLOSED | no | the store is closed |
 * | INTERNAL | no | a mistake in this package |
 */
export type LogErrorCode =
  | 'TRIMMED'
  | 'BEYOND_END'
  | 'BAD_REQUEST'
  | 'TOO_LARGE'
  | 'FULL'
  | 'LOCKED'
  | 'READ_ONLY'
  | 'CANNOT_OPEN'
  | 'CORRUPT'
  | 'FOREIGN'
  | 'NEWER'
  | 'IO'
  | 'NO_MEMORY'
  | 'UNREACHABLE'
  | 'FENCED'
  | 'DENIED'
  | 'NO_TOPIC'
  | 'CLOSED'
  | 'INTERNAL';

const RETRIABLE: ReadonlySet<LogErrorCode> = new Set(['FULL', 'LOCKED', 'UNREACHABLE', 'FENCED']);

export class LogError extends Error {
  readonly code: LogErrorCode;
  readonly retriable: boolean;
  /** The record that could not be read, where one is to blame: a reader may go on behind it. */
  readonly offset: number | null;

  constructor(code: LogErrorCode, message: string, options?: ErrorOptions & { offset?: number }) {
    super(`${code}: ${message}`, options);
    this.name = 'LogError';
    this.code = code;
    this.retriable = RETRIABLE.has(code);
    this.offset = options?.offset ?? null;
  }
}

/** The error for a damaged file: says which one, and what to do. */
export function corrupt(
  file: string,
  what: string,
  options?: ErrorOptions & { offset?: number },
): LogError {
  const advice = `move ${basename(file)}, -wal and -shm away; a new log starts without them`;
  return new LogError('CORRUPT', `${file} is damaged (${what}): ${advice}`, options);
}

/** SQLite's primary result codes (sqlite.org/rescode.html); those not here are INTERNAL. */
const PRIMARY: Readonly<Record<number, LogErrorCode>> = {
  3: 'READ_ONLY', // SQLITE_PERM
  5: 'LOCKED', // SQLITE_BUSY
  6: 'LOCKED', // SQLITE_LOCKED
  7: 'NO_MEMORY', // SQLITE_NOMEM
  8: 'READ_ONLY', // SQLITE_READONLY
  10: 'IO', // SQLITE_IOERR
  11: 'CORRUPT', // SQLITE_CORRUPT
  13: 'FULL', // SQLITE_FULL
  14: 'CANNOT_OPEN', // SQLITE_CANTOPEN
  15: 'LOCKED', // SQLITE_PROTOCOL: lost the race for a lock too often
  18: 'TOO_LARGE', // SQLITE_TOOBIG
  // Ours are keys and constraints that only a damaged file can break.
  19: 'CORRUPT', // SQLITE_CONSTRAINT
  26: 'CORRUPT', // SQLITE_NOTADB
};

/** Extended codes that mean something else than their primary code. */
const EXTENDED: Readonly<Record<number, LogErrorCode>> = {
  522: 'CORRUPT', // SQLITE_IOERR_SHORT_READ: the file ends inside a page
  4874: 'FULL', // SQLITE_IOERR_SHMSIZE: no space for the shared-memory file
  8458: 'CORRUPT', // SQLITE_IOERR_CORRUPTFS
};

/**
 * SQLITE_ERROR is what SQLite says to bad SQL, and ours is constant; but also when the header or
 * the schema table makes no sense.
 */
const SQLITE_ERROR = 1;
const BAD_SCHEMA = /unsupported file format|no such (table|column)/;

function codeOf(error: unknown): LogErrorCode {
  const { code, errcode, message } = (error ?? {}) as Record<string, unknown>;
  // Only `close` puts a handle into this state.
  if (code === 'ERR_INVALID_STATE') return 'CLOSED';
  // An integer column beyond 2^53: never written by us.
  if (code === 'ERR_OUT_OF_RANGE') return 'CORRUPT';
  if (typeof errcode !== 'number') return 'INTERNAL';
  if (errcode === SQLITE_ERROR && BAD_SCHEMA.test(`${message}`)) return 'CORRUPT';
  return EXTENDED[errcode] ?? PRIMARY[errcode & 0xff] ?? 'INTERNAL';
}

/** Any error of node:sqlite as a `LogError`; total. A `LogError` stays what it is. */
export function toLogError(error: unknown, file: string): LogError {
  if (error instanceof LogError) return error;
  const code = codeOf(error);
  const { message, errcode } = (error ?? {}) as { message?: string; errcode?: number };
  const text =
    errcode === undefined ? (message ?? String(error)) : `${message}, SQLite result ${errcode}`;
  if (code === 'CORRUPT') return corrupt(file, text, { cause: error });
  return new LogError(code, `${file}: ${text}`, { cause: error });
}
