import assert from 'node:assert/strict';
import test from 'node:test';
import { KERNELS, runGuests } from './index.ts';

/**
 * `inside/watchdog.ts` on each kernel. Apart from the scenarios: to write ftrace_enabled patches
 * every hooked function, which on two threads of the emulator crashes the kernel now and then.
 */
const command = 'setup/node test/kernel/guest/inside/watchdog.ts 2>&1';
const runs = await runGuests(KERNELS.map((kernel) => ({ kernel, command, timeoutSeconds: 900 })));

for (const [i, kernel] of KERNELS.entries()) {
  test(`${kernel}: a guard that does not run is noticed within two seconds`, () => {
    const { status, stdout, seconds } = runs[i] as (typeof runs)[number];
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^ℹ pass [1-9]/m, 'it tested something');
    const found = /^# noticed after .*$/m.exec(stdout)?.[0] ?? '';
    console.log(`${found}, ${kernel}, ${seconds.toFixed(0)} s`);
  });
}
