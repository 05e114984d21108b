import assert from 'node:assert/strict';
import { basename } from 'node:path';
import test from 'node:test';
import { dose } from '#testkit';
import { type GuestRun, KERNELS, type Kernel, runGuests } from './index.ts';

/**
 * Runs `inside/guard.ts` and some of the host's own tests on each kernel, one
 * boot a kernel. Each is a file of tests that runs in the guest, with the only instance of the
 * product there.
 */
const SECONDS = 2400;
/**
 * Tests of the host's kernel that say nothing of the mode: here they run against the guard. In the
 * long run all of them on each kernel.
 */
const SHARED: Readonly<Record<Kernel, readonly string[]>> = {
  '6.1': ['acts'],
  '6.12': ['forged', 'decide', 'tier'],
  '7.2': [],
};
const ALL = Object.values(SHARED).flat();

const scenariosOf = (kernel: Kernel): string[] => {
  const shared = dose === 'full' ? ALL : SHARED[kernel];
  const paths = shared.map((name) => `test/kernel/${name}.test.ts`);
  const wanted = process.env.WARDEN_SCENARIO ?? '';
  return ['test/kernel/guest/inside/guard.ts', ...paths].filter((path) => path.includes(wanted));
};

/** Each scenario's output and status, apart. */
const run = (path: string): string => `echo "== ${path}"; setup/node ${path} 2>&1; echo "-- $?"`;

interface Result {
  readonly status: number;
  readonly output: string;
}

function resultOf(run: GuestRun, path: string): Result {
  const from = run.stdout.indexOf(`== ${path}\n`);
  const rest = from < 0 ? '' : run.stdout.slice(from);
  const end = /^-- (\d+)$/m.exec(rest);
  if (end === null) return { status: -1, output: `not run\n${run.console.slice(-2000)}` };
  return { status: Number(end[1]), output: rest.slice(0, end.index) };
}

// The newest first: it takes longest.
const order = KERNELS.toReversed();
const jobs = order.map((kernel) => ({
  kernel,
  command: scenariosOf(kernel).map(run).join('\n'),
  timeoutSeconds: SECONDS,
}));
const started = Date.now();
const runs = await runGuests(jobs);
console.log(`# ${runs.map(({ seconds }, i) => `${order[i]}: ${seconds.toFixed(0)} s`).join(', ')}`);
console.log(`# together ${((Date.now() - started) / 1000).toFixed(0)} s`);

for (const [i, kernel] of order.entries()) {
  for (const path of scenariosOf(kernel)) {
    test(`${kernel}: ${basename(path, '.ts')}`, () => {
      const { status, output } = resultOf(runs[i] as GuestRun, path);
      assert.equal(status, 0, output);
      assert.match(output, /^ℹ pass [1-9]/m, 'it tested something');
    });
  }
}
