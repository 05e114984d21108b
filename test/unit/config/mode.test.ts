import assert from 'node:assert/strict';
import test from 'node:test';
import { ConfigError, readConfig } from '#config';

const mode = (text: string) => readConfig({}, { WARDEN_MODE: text }).mode;

test('WARDEN_MODE is a mode, or auto; signal only by its name', () => {
  assert.equal(readConfig({}, {}).mode, 'auto');
  assert.equal(mode(''), 'auto');
  assert.equal(mode('signal'), 'signal');
  assert.throws(() => mode('kill'), ConfigError);
});
