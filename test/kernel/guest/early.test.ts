import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { join, resolve } from 'node:path';
import test from 'node:test';
import { hostName } from '#event';
import { compilePolicy, parsePolicy } from '#policy';
import { bootPolicy } from '../../../cli/policy/boot.ts';
import { runGuest } from './index.ts';
import { withInitramfs } from './initramfs.ts';

/**
 * A guest that boots with an initramfs of our hook: the guard is there before udev, refuses by the
 * signed policy, goes on through the change of root, and services find all: `inside/early.ts`.
 */
const ROOT = resolve(import.meta.dirname, '../../..');
const BUILD = join(ROOT, 'bpf/build');
const pair = generateKeyPairSync('ed25519');
const raw = pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(12);

/** Only what has its place in the initramfs can be known there: by its path at that time. */
const TEXT = `version: 1
mode: enforce
loaders:
  - { name: login, kind: login, match: { path: /usr/bin/login } }
  - { name: node, kind: tool, match: { path: /usr/bin/node } }
  - { name: early, match: { path: /usr/bin/early-known }, grant: all }
grants:
  unknown: { commands: [], program_types: [], map_types: [] }
`;

function signedPolicy(revision: number, text = TEXT): string {
  const parsed = parsePolicy(text, 'early');
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const compiled = compilePolicy(parsed.policy, { host: hostName('guest') });
  return bootPolicy(compiled, { revision, operator: 'carol' }, pair.privateKey);
}

const operators = `carol ${raw.toString('hex')}\n`;
const PREREQS = (names: string) => `[ "\${1:-}" != prereqs ] || { echo "${names}"; exit 0; }\n`;

/** What the initramfs does for the test: acts right after ours, and an installation on the root. */
const more = {
  'hooks/early-test': `#!/bin/sh
${PREREQS('')}. /usr/share/initramfs-tools/hook-functions
copy_exec ${BUILD}/workloads/churn /usr/bin/early-unknown
copy_exec ${BUILD}/workloads/churn /usr/bin/early-known
copy_exec ${BUILD}/warden-load /early-warden-load
copy_exec /bin/cp
`,
  'scripts/init-top/early-test': `#!/bin/sh
${PREREQS('bpf-warden')}mkdir -p /run/early
for one in /proc/[0-9]*; do
	exe=$(readlink "$one/exe") && read -r line <"$one/stat" && echo "$exe $line"
done >/run/early/processes
/usr/bin/early-unknown 3 >/run/early/unknown 2>&1
/usr/bin/early-known 3 >/run/early/known 2>&1
cat /proc/uptime >/run/early/uptime
`,
  'scripts/local-bottom/early-test': `#!/bin/sh
${PREREQS('')}mkdir -p "$rootmnt/usr/lib/bpf-warden"
cp /early-warden-load "$rootmnt/usr/lib/bpf-warden/warden-load"
`,
};

const files = {
  '/job/boot/operators': operators,
  '/job/boot/policy': signedPolicy(5),
  '/job/boot/older': signedPolicy(4),
  '/job/boot/forged': signedPolicy(9).replace('revision 9', 'revision 8'),
  '/job/policy.yaml': TEXT,
};
const command = 'setup/node test/kernel/guest/inside/early.ts 2>&1';

test('6.12: a guard from the initramfs on', async () => {
  const boot = { operators, policy: signedPolicy(5) };
  const run = await withInitramfs({ kernel: '6.12', boot, more }, (initrd) =>
    runGuest({ kernel: '6.12', initrd, files, command, timeoutSeconds: 1100 }),
  );
  assert.equal(run.status, 0, `${run.stdout}${run.console}`);
  assert.match(run.stdout, /^ℹ pass 5/m);
  console.log(run.stdout.match(/^# .*$/gm)?.join('\n'));
});

test('6.12, warden=off: nothing is attached, and that is an event', async () => {
  const boot = { operators, policy: signedPolicy(5) };
  const off = `WARDEN_SCENARIO=off ${command}`;
  const run = await withInitramfs({ kernel: '6.12', boot, more }, (initrd) =>
    runGuest({
      ...{ kernel: '6.12', initrd, files, command: off, append: 'warden=off' },
      timeoutSeconds: 1100,
    }),
  );
  assert.equal(run.status, 0, `${run.stdout}${run.console}`);
  assert.match(run.stdout, /^ℹ pass 2/m);
  assert.match(run.console, /warden=off is on the kernel's command line: nothing is attached/);
});

test('the units are such as systemd takes', () => {
  const names = ['bpf-warden-early.service', 'bpf-warden.service'];
  const units = names.map((name) => join(ROOT, 'deploy/systemd', name));
  const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], {
    encoding: 'utf8',
  });
  const said = `${stdout}${stderr}`.trim().split('\n');
  // What is not installed here is all that is wrong with them.
  const others = said.filter((line) => !/\/usr\/lib\/bpf-warden\/\S+ is not executable/.test(line));
  assert.deepEqual([others, said.length], [[], names.length], said.join('\n'));
});
