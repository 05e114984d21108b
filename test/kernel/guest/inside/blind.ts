import assert from 'node:assert/strict';
import test from 'node:test';
import { loads } from './loading.ts';
import { eventsOf, find, open } from './support.ts';

/** Mode audit under a policy that enforces: all is recorded, nothing is claimed. */
const LSM_PROGRAM = ['--type', '29', '--attach-type', '27', '--attach', 'bpf_lsm_bpf'];

test('nothing claims to be enforced where it is not', async () => {
  const scene = await open('blind', 'version: 1\nmode: enforce\n', 'audit');
  try {
    const { pid } = await loads(null, LSM_PROGRAM);
    const { event } = await find(
      scene,
      'the load',
      (seen) => seen.event.process?.pid === pid && seen.event.act.command === 'PROG_LOAD',
    );
    assert.deepEqual(
      { ...event.verdict },
      {
        decision: 'would_deny',
        rule: 'tiers.standard.program_types',
        enforced: false,
        mode: 'audit',
        by: 'subject',
      },
    );
    assert.notEqual(event.act.errno, 'EPERM', 'and it was not');
    const enforced = ({ event: one }: Awaited<ReturnType<typeof find>>) =>
      one.verdict.enforced ||
      one.details.some(({ key, value }) => key === 'effect' && value === 'enforced');
    const seen = await eventsOf(scene);
    assert.deepEqual(
      seen.filter(enforced).map(({ json }) => json),
      [],
    );
  } finally {
    await scene.end();
  }
});
