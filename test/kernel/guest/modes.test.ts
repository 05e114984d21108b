import assert from 'node:assert/strict';
import test from 'node:test';
import { KERNELS, runGuests } from './index.ts';

/**
 * What is left where `lsm=` lacks bpf: mode fmod_ret, which is taken there, and mode signal, as on
 * the host's own kernel.
 */
const SECONDS = 1200;
const append = 'lsm=lockdown,capability,yama,apparmor';
const MODES = {
  fmod_ret: 'test/kernel/guest/inside/fmod-ret.ts',
  // The other test there is of a policy that observes: a start more, and nothing of the kernel's.
  signal: '--test-name-pattern="refused load" test/kernel/signal.test.ts',
} as const;
const run = ([mode, path]: readonly string[]) =>
  `echo "== ${mode}"; setup/node ${path} 2>&1; echo "-- $?"`;
const command = Object.entries(MODES).map(run).join('\n');

// The newest first: it takes longest.
const order = KERNELS.toReversed();
const runs = await runGuests(
  order.map((kernel) => ({ kernel, command, append, timeoutSeconds: SECONDS })),
);

for (const [i, kernel] of order.entries()) {
  const { stdout, seconds } = runs[i] as (typeof runs)[number];
  console.log(`# ${kernel}: ${seconds.toFixed(0)} s`);
  for (const mode of Object.keys(MODES)) {
    test(`${kernel} without bpf in lsm=: mode ${mode}`, () => {
      const output = stdout.split(`== ${mode}\n`)[1]?.split(/^-- /m)[0] ?? stdout;
      assert.match(stdout.split(`== ${mode}\n`)[1] ?? '', /^-- 0$/m, output);
      assert.match(output, /^ℹ fail 0$/m, output);
      assert.match(output, /^ℹ pass [1-9]/m, 'it tested something');
    });
  }
}
