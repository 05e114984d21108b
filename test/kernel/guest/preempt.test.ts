import assert from 'node:assert/strict';
import test from 'node:test';
import { hostName } from '#event';
import { compilePolicy, parsePolicy } from '#policy';
import { dose } from '#testkit';
import { KERNELS, runGuests } from './index.ts';

/**
 * The race of `inside/racing.ts` where it is hardest to win: with preempt=full any other task can
 * run in the middle of a hook. Without services, which the verdict does not need.
 */
const TRIES = dose === 'full' ? 100_000 : 2000;

const parsed = parsePolicy(
  `version: 1
mode: enforce
grants:
  unknown:
    commands: ["*"]
    program_types: ["*"]
    map_types: ["*"]
    helpers: ["*", "!ktime_get_ns"]
`,
  'preempt',
);
assert.ok(parsed.ok);
const files = { '/job/policy': compilePolicy(parsed.policy, { host: hostName('guest') }) };
const command = `
mkdir -p /run/warden
load='bpf/build/warden-load load --dir /run/warden --gid 0'
$load --policy /job/policy --mode lsm >/dev/null || exit
grep -o 'preempt=[a-z]*' /proc/cmdline
bpf/build/workloads/racer ${TRIES} & bpf/build/workloads/racer ${TRIES}; wait`;

const runs = await runGuests(
  KERNELS.map((kernel) => ({
    kernel,
    command,
    files,
    append: 'preempt=full',
    twoThreads: true,
    timeoutSeconds: dose === 'full' ? 7200 : 900,
  })),
);

for (const [i, kernel] of KERNELS.entries()) {
  test(`${kernel}, preempt=full: two racers, and no forbidden program`, () => {
    const { stdout, stderr } = runs[i] as (typeof runs)[number];
    assert.match(stdout, /^preempt=full$/m);
    const racers = [...stdout.matchAll(/^\{.*\}$/gm)].map(([line]) => JSON.parse(line));
    assert.equal(racers.length, 2, stderr);
    for (const { tries, forbidden, refused, benign } of racers) {
      assert.equal(tries, TRIES);
      assert.equal(forbidden, 0, stdout);
      assert.ok(refused > 0 && benign > 0, `it did race: ${stdout}`);
    }
    console.log(`# ${kernel}: ${racers.map((one) => JSON.stringify(one)).join(' ')}`);
  });
}
