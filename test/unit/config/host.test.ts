import assert from 'node:assert/strict';
import test from 'node:test';
import { ConfigError, readConfig } from '#config';

const bytes = (text: string) => readConfig({}, { WARDEN_LOG_BYTES: text }).logBytes;

test('the local log is bounded: 1 GiB unless somebody says otherwise', () => {
  assert.equal(readConfig({}, {}).logBytes, 1024 ** 3);
  assert.equal(bytes('8388608'), 8_388_608);
});

test('a bound that is none is refused, with what was expected', () => {
  for (const text of ['', '8 MiB', '4194303', '-1', '1e9', '99999999999999']) {
    assert.throws(
      () => bytes(text),
      new ConfigError(
        `WARDEN_LOG_BYTES ${JSON.stringify(text)}: ` +
          'expected a number of bytes from 4194304 to 1099511627776',
      ),
    );
  }
});
