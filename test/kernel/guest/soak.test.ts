import assert from 'node:assert/strict';
import test from 'node:test';
import { dose } from '#testkit';
import { KERNELS, runGuests } from './index.ts';

/**
 * `inside/soak.ts`: a minute of load by eight threads, in the long run an hour on each kernel.
 */
const SECONDS = dose === 'full' ? 3600 : 60;
const kernels = dose === 'full' ? KERNELS.toReversed() : (['6.12'] as const);
const runs = await runGuests(
  kernels.map((kernel) => ({
    kernel,
    command: `WARDEN_SOAK_SECONDS=${SECONDS} setup/node test/kernel/guest/inside/soak.ts 2>&1`,
    timeoutSeconds: 1200 + 2 * SECONDS,
  })),
);

for (const [i, kernel] of kernels.entries()) {
  test(`${kernel}: ${SECONDS} s of load leave nothing behind`, () => {
    const { status, stdout, seconds } = runs[i] as (typeof runs)[number];
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^ℹ pass [1-9]/m, 'it tested something');
    const said = stdout.split('\n').filter((line) => line.startsWith('# '));
    console.log(`# ${kernel}, ${seconds.toFixed(0)} s\n${said.join('\n')}`);
  });
}
