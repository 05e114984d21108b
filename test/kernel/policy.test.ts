import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { hashPolicy } from '#policy';
import { type Placed, place, readEvents, run, type SeenEvent, Warden, waitFor } from '#testkit';
import { policyOf } from '../unit/policy/support.ts';

const BY = ['--author', 'alice', '--reason', 'a test'];
const WITHOUT_SWEEPS = `version: 1
mode: enforce
rollout: { would_deny: 0 }
grants:
  standard: { commands: ["*", "!PROG_GET_NEXT_ID"], program_types: ["*"], map_types: ["*"] }
`;

async function policy(at: Placed, ...args: string[]) {
  const env = { ...process.env, WARDEN_RUN: at.run, WARDEN_ETC: join(at.root, 'etc') };
  return run('./warden', ['policy', ...args, ...BY, '--state', at.state], { env });
}

const detail = ({ event }: SeenEvent, key: string) =>
  event.details.find((one) => one.key === key)?.value;

/** Waits until the services say that this policy is in force, at this stage. */
async function inForce(at: Placed, text: string, stage: string): Promise<void> {
  const hash = hashPolicy(policyOf(text));
  await waitFor(`${hash} at ${stage}`, async () => {
    const told = (await readEvents(at.database)).filter(
      ({ event }) => event.act.command === 'POLICY',
    );
    const last = told.at(-1);
    return last !== undefined && detail(last, 'after') === hash && detail(last, 'stage') === stage;
  });
}

test('a policy goes into a running guard, on by stages, back, and through a start', async () => {
  const at = place('rollout');
  const file = join(at.root, 'policy.yaml');
  writeFileSync(file, WITHOUT_SWEEPS);
  let warden = await Warden.start({ place: at });
  try {
    const applied = await policy(at, 'apply', file);
    assert.equal(applied.code, 0, applied.stderr);
    assert.match(applied.stdout, /kernel: in force; log: recorded/);
    await inForce(at, WITHOUT_SWEEPS, 'observe');
    assert.equal((await run('bpftool', ['prog', 'list'])).code, 0);
    await waitFor('an act that would be refused', async () =>
      (await readEvents(at.database)).find(
        ({ event: { act, verdict } }) =>
          act.command === 'PROG_GET_NEXT_ID' && verdict.decision === 'would_deny',
      ),
    );
    const over = await policy(at, 'promote', '--stage', 'enforce');
    assert.equal(over.code, 1, over.stdout);
    assert.match(over.stderr, /\(tiers\.standard\.commands\)/);
    const anyway = await policy(at, 'promote', '--stage', 'enforce', '--anyway');
    assert.equal(anyway.code, 0, anyway.stderr);
    await inForce(at, WITHOUT_SWEEPS, 'enforce');
    assert.equal((await warden.stop()).code, 0);
    warden = await Warden.start({ place: at });
    await inForce(at, WITHOUT_SWEEPS, 'enforce');
    const back = await policy(at, 'rollback');
    assert.equal(back.code, 0, back.stderr);
    await inForce(at, 'version: 1\nmode: observe\n', 'observe');
  } finally {
    await warden.clean();
    at.remove();
  }
});

test('a text that services cannot read leaves them with the one before, told of', async () => {
  const at = place('unreadable');
  const warden = await Warden.start({ place: at });
  try {
    const file = join(at.root, 'unreadable');
    const compiled = readdirSync(at.run).find((name) => name.endsWith('.compiled'));
    copyFileSync(join(at.run, compiled ?? ''), file);
    chmodSync(file, 0o600);
    const load = ['apply', '--dir', at.run, '--policy', file, '--source', file];
    const applied = await run('bpf/build/warden-load', load);
    assert.equal(applied.code, 0, applied.stderr);
    await waitFor('GUARD refused', async () =>
      (await readEvents(at.database)).find(
        (one) => one.event.act.command === 'GUARD' && detail(one, 'state') === 'refused',
      ),
    );
    await warden.says(/services can't live with the policy that was applied/);
    const ran = await run('bpftool', ['map', 'list']);
    await waitFor('an act after it', async () =>
      (await readEvents(at.database)).find(({ event }) => event.process?.pid === ran.pid),
    );
  } finally {
    await warden.clean();
    at.remove();
  }
});
