import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import test from 'node:test';
import { dose } from '#testkit';
import { KERNELS, runGuests } from './index.ts';

/**
 * A day of a Debian server under `enforce`, with systemd, udev and sshd, and with the policy that
 * we ship for it: `inside/day.ts`. An agent is added, and what the policy says of systemd.
 */
const SHIPPED = resolve(import.meta.dirname, '../../../policies/debian-server.yaml');
const OURS = `trusted: [systemd@guest]
bases: { principals: { systemd@guest: 90 } }
loaders:
  - { name: skeleton, match: { path: /usr/local/bin/skeleton } }
`;
const DAYS = dose === 'full' ? 20 : 1;

const policy = readFileSync(SHIPPED, 'utf8').replace(/^loaders:\n/m, OURS);
const kernels = dose === 'full' ? KERNELS.toReversed() : (['6.12'] as const);
const runs = await runGuests(
  kernels.map((kernel) => ({
    kernel,
    system: 'debian' as const,
    files: { '/job/policy.yaml': policy },
    command: `WARDEN_DAYS=${DAYS} setup/node test/kernel/guest/inside/day.ts 2>&1`,
    timeoutSeconds: dose === 'full' ? 14_400 : 1200,
    memoryMiB: 3072,
  })),
);

for (const [i, kernel] of kernels.entries()) {
  test(`${kernel}: a day in which nobody is refused wrongly`, () => {
    const { status, stdout, seconds } = runs[i] as (typeof runs)[number];
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^ℹ pass 1[0-9]/m, 'it tested something');
    const said = stdout.split('\n').filter((line) => line.startsWith('# '));
    console.log(`# ${kernel}, ${seconds.toFixed(0)} s\n${said.join('\n')}`);
  });
}
