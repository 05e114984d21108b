import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'node:test';

const LOGGER = resolve(import.meta.dirname, '../../../packages/telemetry/index.ts');

/** What a logger of another process says, which alone has its standard error. */
function said(pretty: boolean): string {
  const program = `
    const { createLogger } = await import(${JSON.stringify(LOGGER)});
    const logger = createLogger({ level: 'info', name: 'test', pretty: ${pretty} });
    const user = { name: 'enricher', password: 'secret-1' };
    const kafka = { brokers: ['k:1'], user, tls: { ca: 'public', key: 'secret-2' } };
    logger.info({ kafka }, 'settings');
    logger.info({ services: { kafka } }, 'settings of services');
    logger.warn({ password: 'secret-3', token: 'secret-4', hostKey: 'secret-5' }, 'at the top');
  `;
  const command = `exec "$0" --input-type=module -e "$1" 2>&1`;
  return execFileSync('/bin/sh', ['-c', command, process.execPath, program], { encoding: 'utf8' });
}

for (const pretty of [false, true]) {
  test(`secrets reach no log line, ${pretty ? 'for a person' : 'as JSON'}`, () => {
    const text = said(pretty);
    assert.equal(text.trim().split('\n').length, 3);
    assert.doesNotMatch(text, /secret-\d/);
    assert.match(text, /\[secret\]/);
    assert.match(text, /enricher/);
  });
}
