import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { it } from 'node:test';

/** What V8 gave up while these modules were loaded. */
function givenUp(...modules: readonly string[]): string[] {
  const code = modules.map((module) => `await import('${module}');`).join('\n');
  const options = ['--trace-protector-invalidation', '--input-type=module', '--eval', code];
  const out = execFileSync(process.execPath, options, { encoding: 'utf8' });
  return out.trim().split('\n');
}

const STRINGS = 'Invalidating protector cell StringWrapperToPrimitive';

it('ioredis as it is makes methods of strings slow in the whole process', () => {
  assert.ok(givenUp('ioredis').includes(STRINGS));
});

it('ioredis as we load it leaves them as they are', () => {
  assert.ok(!givenUp('#state/redis', 'ioredis').includes(STRINGS));
});
