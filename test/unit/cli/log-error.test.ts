import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogError, type LogErrorCode } from '#log';
import { CliError, EXIT } from '../../../cli/shared/exit.ts';
import { asCliError } from '../../../cli/shared/log-error.ts';

function exitOf(code: LogErrorCode): number | null {
  const error = new LogError(code, 'why');
  const told = asCliError(error, '/log');
  if (told === error) return null;
  assert.ok(told instanceof CliError);
  assert.equal(told.message, `/log: ${code}: why`);
  return told.exitCode;
}

test('what may be gone by itself is temporary, and what is refused is a permission', () => {
  const codes: readonly LogErrorCode[] = ['FULL', 'LOCKED', 'FENCED', 'IO', 'NO_MEMORY'];
  for (const code of codes) assert.equal(exitOf(code), EXIT.temporary, code);
  for (const code of ['DENIED', 'READ_ONLY', 'CANNOT_OPEN'] as const) {
    assert.equal(exitOf(code), EXIT.noPermission, code);
  }
});

test('data that cannot be used is told apart from servers that are away', () => {
  const codes: readonly LogErrorCode[] = ['TRIMMED', 'BEYOND_END', 'CORRUPT', 'FOREIGN', 'NEWER'];
  for (const code of codes) assert.equal(exitOf(code), EXIT.data, code);
  assert.equal(exitOf('UNREACHABLE'), EXIT.unavailable);
  assert.equal(exitOf('NO_TOPIC'), EXIT.unavailable);
});

test('a mistake of ours keeps its stack', () => {
  for (const code of ['BAD_REQUEST', 'CLOSED', 'INTERNAL'] as const) {
    assert.equal(exitOf(code), null, code);
  }
  const other = new Error('of another kind');
  assert.equal(asCliError(other), other);
});
