import assert from 'node:assert/strict';
import { it } from 'node:test';
import { corrupt, LogError, toLogError } from '#log';

function codeOf(errcode: number): string {
  const error = Object.assign(new Error('x'), { code: 'ERR_SQLITE_ERROR', errcode });
  return toLogError(error, '/state/log.db').code;
}

it('toLogError knows what the results of SQLite mean for a caller', () => {
  const expected: Record<number, string> = {
    1: 'INTERNAL',
    5: 'LOCKED',
    261: 'LOCKED', // SQLITE_BUSY_RECOVERY
    8: 'READ_ONLY',
    1032: 'READ_ONLY', // SQLITE_READONLY_DBMOVED
    10: 'IO',
    522: 'CORRUPT', // SQLITE_IOERR_SHORT_READ
    778: 'IO', // SQLITE_IOERR_WRITE
    4874: 'FULL', // SQLITE_IOERR_SHMSIZE
    11: 'CORRUPT',
    267: 'CORRUPT', // SQLITE_CORRUPT_VTAB
    13: 'FULL',
    14: 'CANNOT_OPEN',
    1555: 'CORRUPT', // SQLITE_CONSTRAINT_PRIMARYKEY
    26: 'CORRUPT',
  };
  for (const [errcode, code] of Object.entries(expected)) {
    assert.equal(codeOf(Number(errcode)), code, errcode);
  }
});

it('toLogError has an answer to everything', () => {
  for (let errcode = 0; errcode < 70_000; errcode++) assert.ok(codeOf(errcode).length > 0);
  for (const thrown of [null, undefined, 'text', 7, {}, new TypeError('x')]) {
    assert.equal(toLogError(thrown, 'f').code, 'INTERNAL');
  }
  const original = corrupt('f', 'x', { offset: 3 });
  assert.equal(toLogError(original, 'g'), original);
});

it('toLogError keeps the cause, and says what to do about a damaged file', () => {
  const cause = Object.assign(new Error('database disk image is malformed'), { errcode: 11 });
  const error = toLogError(cause, '/state/log.db');
  assert.equal(error.cause, cause);
  assert.equal(error.retriable, false);
  assert.match(error.message, /\/state\/log\.db is damaged .*malformed.*: move log\.db, -wal and/);
});

it('toLogError marks what may go away by itself', () => {
  assert.equal(new LogError('FULL', '').retriable, true);
  assert.equal(new LogError('LOCKED', '').retriable, true);
  assert.equal(new LogError('CORRUPT', '').retriable, false);
});
