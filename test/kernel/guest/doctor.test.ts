import assert from 'node:assert/strict';
import test from 'node:test';
import { KERNELS, runGuests } from './index.ts';

/** What `warden doctor` says of each kernel, and of one without BPF LSM, under mode enforce. */
interface Finding {
  readonly topic: string;
  readonly grade: string;
  readonly text: string;
  readonly next: string;
}

const POLICY = 'version: 1\nmode: enforce\n';
const WITHOUT = 'lsm=lockdown,capability,yama,apparmor';
const files = { '/job/policy.yaml': POLICY };
const timeoutSeconds = 900;
const command = 'setup/node cli/main.ts doctor --json --policy /job/policy.yaml';
const blind = `${command}; setup/node test/kernel/guest/inside/blind.ts >&2; echo "status $?"`;

const runs = await runGuests([
  ...KERNELS.map((kernel) => ({ kernel, command, files, timeoutSeconds })),
  ...KERNELS.map((kernel) => ({ kernel, command: blind, files, timeoutSeconds, append: WITHOUT })),
]);

function report(stdout: string) {
  const line = stdout.split('\n').find((one) => one.startsWith('{')) ?? '{}';
  const { schema, ok, mode, findings } = JSON.parse(line);
  assert.equal(schema, 'warden.doctor/1');
  const of = (topic: string) => (findings as Finding[]).filter((one) => one.topic === topic);
  return { ok, mode, of };
}

for (const [i, kernel] of KERNELS.entries()) {
  test(`${kernel}: mode lsm, each hook tried, and what is enforced`, () => {
    const { status, stdout, stderr } = runs[i] as (typeof runs)[number];
    const { ok, mode, of } = report(stdout);
    assert.deepEqual([status, ok, mode], [0, true, 'lsm'], stderr);
    const load = kernel === '6.1' ? 'fentry/bpf_check' : 'lsm/bpf_prog_load';
    for (const hook of ['lsm/bpf', 'fexit/__sys_bpf', load, 'lsm/bpf_prog', 'lsm/bpf_map']) {
      assert.equal(of(hook)[0]?.grade, 'ok', `${hook}: ${JSON.stringify(of(hook))}`);
    }
    assert.deepEqual(
      of('enforced').map(({ grade }) => grade),
      ['ok'],
    );
    assert.ok(of('not seen').length > 0 && of('denied')[0]?.grade === 'ok');
  });

  test(`${kernel} without bpf in lsm=: it says so, and what that makes weaker`, () => {
    const { stdout, stderr } = runs[KERNELS.length + i] as (typeof runs)[number];
    const { ok, mode, of } = report(stdout);
    assert.deepEqual([ok, mode], [true, 'fmod_ret']);
    const [enforced] = of('enforced');
    assert.equal(enforced?.grade, 'note');
    assert.ok(of('not denied').some(({ text }) => text.includes('preempted')));
    assert.match(enforced?.next ?? '', /lsm=\S*,bpf\b/);
    assert.notEqual(of('lsm/bpf')[0]?.grade, 'ok', 'it attaches, and is never called');
    assert.match(stdout, /^status 0$/m, stderr);
  });
}
