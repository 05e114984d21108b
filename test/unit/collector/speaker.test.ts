import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs, { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { newSigningKey, openSigningKey } from '#config';
import { hostName } from '#event';
import type { KafkaClient } from '#log/kafka';
import { openMemoryStore } from '#state';
import { run } from '#testkit';
import { openSpeaker } from '../../../cli/fleet/witness.ts';
import type { Parts } from '../../../cli/up/loop.ts';

const stateDir = mkdtempSync(join(tmpdir(), 'speaker-'));
const file = join(stateDir, 'sign.key');
after(() => rmSync(stateDir, { recursive: true }));

/** Whoever speaks for a host with that state directory, and what the log has then. */
function open() {
  const lines: string[] = [];
  const write = ({ reason, next }: Record<string, string>, text: string) =>
    lines.push(`${text}: ${reason ?? next}`);
  const logger = { error: write, warn: write };
  const config = { stateDir, runDir: stateDir };
  const parts = { config, logger, host: hostName('web-1'), store: openMemoryStore() };
  const said = {
    client: {} as unknown as KafkaClient,
    forwarder: {} as never,
    revision: () => 0,
    lost: () => [],
  };
  return { ...openSpeaker(parts as unknown as Parts, said), lines };
}

test('a signing key that is missing or bad is said in log and health, and ends nothing', () => {
  const none = open();
  assert.equal(none.witness, null);
  assert.equal(none.status().reason, 'no sign.key');
  assert.match(none.lines.join(), /no sign\.key: .*host enroll --keep/);

  writeFileSync(file, 'nonsense');
  const bad = open();
  assert.equal(bad.witness, null);
  assert.match(bad.status().reason ?? '', /sign\.key: .*write it again with .*host rotate/);
  assert.match(bad.lines.join(), /^this host sends no heartbeats and no checkpoints: .*sign\.key/);

  writeFileSync(file, newSigningKey().pem);
  const good = open();
  assert.notEqual(good.witness, null);
  assert.deepEqual(good.status(), { heartbeats: false, checkpoints: false, reason: null });
});

test('a bad signing key is said before anything is loaded', async () => {
  writeFileSync(file, 'nonsense');
  const verb = ['collector', '--kafka', '127.0.0.1:9', '--state', stateDir];
  const { code, stderr } = await run('./warden', verb);
  assert.equal(code, 78, stderr);
  assert.match(stderr, /sign\.key: .*expected an Ed25519 key/);
});

test('a signing key that may not be read is a matter of owner and mode', (t) => {
  const refuse = t.mock.method(fs, 'openSync', () => {
    throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
  });
  syncBuiltinESMExports();
  try {
    assert.throws(
      () => openSigningKey(stateDir),
      /sign\.key: EACCES.*must belong to .*bpf-warden, with mode 0600$/,
    );
  } finally {
    refuse.mock.restore();
    syncBuiltinESMExports();
  }
});

test('a pipe in the place of the signing key keeps nobody waiting', () => {
  rmSync(file);
  execFileSync('mkfifo', [file]);
  assert.throws(() => openSigningKey(stateDir), /not a key in PEM/);
});
