import assert from 'node:assert/strict';
import test from 'node:test';
import { dose } from '#testkit';
import { KERNELS, runGuests } from './index.ts';

/**
 * `inside/upgrade.ts` on each kernel, and where any hook can be preempted between two others; 6.12
 * without that in the long run only.
 */
const order = KERNELS.toReversed().filter((kernel) => dose === 'full' || kernel !== '6.12');
const jobs = [
  ...order.map((kernel) => ({ kernel, append: '' })),
  { kernel: '6.12', append: 'preempt=full' } as const,
].map((one) => ({
  ...one,
  command: `WARDEN_DOSE=${dose} setup/node test/kernel/guest/inside/upgrade.ts 2>&1`,
  timeoutSeconds: dose === 'full' ? 7200 : 1800,
}));
const runs = await runGuests(jobs);

for (const [i, { kernel, append }] of jobs.entries()) {
  test(`${kernel} ${append}: upgrades without a gap`, () => {
    const { status, stdout, seconds } = runs[i] as (typeof runs)[number];
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^ℹ pass [1-9]/m, 'it tested something');
    const said = stdout.split('\n').filter((line) => line.startsWith('# '));
    console.log(`# ${kernel} ${append}, ${seconds.toFixed(0)} s\n${said.join('\n')}`);
  });
}
