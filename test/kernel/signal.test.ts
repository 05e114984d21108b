import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'node:test';
import { type Placed, place, readEvents, run, Warden, waitFor } from '#testkit';

const LOADS = resolve(import.meta.dirname, '../../bpf/build/workloads/loads');
const SOCKET_FILTER = '1';
const KPROBE = '2';

/** Names one file alone: a machine has others who load kprobes, and they are to live. */
const policyOf = (file: string, effect: string): string => `version: 1
mode: observe
signals: { S21: { weight: 0 } }
loaders: [{ name: limited, kind: tool, match: { path: ${file} }, grant: limited }]
grants:
  limited: { commands: ["*"], program_types: ["*", "!KPROBE"], map_types: ["*"], ${effect} }
`;

interface Scene {
  readonly at: Placed;
  readonly warden: Warden;
  readonly limited: string;
}

async function open(effect: string): Promise<Scene> {
  const at = place('signal');
  const limited = join(at.root, 'limited');
  copyFileSync(LOADS, limited);
  chmodSync(limited, 0o755);
  const policy = join(at.root, 'policy.yaml');
  writeFileSync(policy, policyOf(limited, effect));
  const warden = await Warden.start({ place: at, policy, env: { WARDEN_MODE: 'signal' } });
  return { at, warden, limited };
}

/** What became of a process that loads one program, and what the log says of that. */
async function load({ at }: Scene, file: string, type: string, ...more: string[]) {
  const { pid, signal, stdout } = await run(file, ['--type', type, ...more]);
  const { event } = await waitFor('the load', async () =>
    (await readEvents(at.database)).find(
      ({ event: { act, process } }) => process?.pid === pid && act.command === 'PROG_LOAD',
    ),
  );
  const { decision, enforced, mode } = event.verdict;
  const { errno } = event.act;
  return {
    signal,
    stdout,
    errno,
    verdict: { decision, enforced, mode },
    told: event.details.map(({ key, value }) => `${key} ${value}`),
  };
}

async function end({ at, warden }: Scene): Promise<void> {
  await warden.clean();
  at.remove();
}

test('mode signal: a refused load kills its maker and makes no program; others live', async () => {
  const scene = await open('enforce: [program_types]');
  try {
    const refused = await load(scene, scene.limited, KPROBE);
    assert.equal(refused.signal, 'SIGKILL');
    assert.equal(refused.stdout, '', 'it did not come back from the call');
    assert.equal(refused.errno, 'EAGAIN', 'the verifier gave up');
    assert.deepEqual(refused.verdict, { decision: 'deny', enforced: true, mode: 'signal' });
    assert.deepEqual(refused.told, ['signal SIGKILL']);
    const late = await load(scene, scene.limited, KPROBE, '--absent');
    assert.deepEqual([late.signal, late.stdout, late.errno], ['SIGKILL', '', null]);
    const made = { decision: 'deny', enforced: false, mode: 'signal' };
    assert.deepEqual(
      [late.verdict, late.told],
      [made, ['signal SIGKILL']],
      'it was there, briefly',
    );
    for (const [file, type, decision] of [
      [scene.limited, SOCKET_FILTER, 'allow'],
      [LOADS, KPROBE, 'would_deny'],
    ] as const) {
      const { signal, errno, verdict, told } = await load(scene, file, type);
      const lives = { decision, enforced: false, mode: 'signal' };
      assert.deepEqual([signal, errno, verdict, told], [null, null, lives, []]);
    }
    assert.equal((await scene.warden.stop()).code, 0, scene.warden.stderr);
  } finally {
    await end(scene);
  }
});

test('mode signal under a policy that observes: nobody is killed', async () => {
  const scene = await open('observe: []');
  try {
    const { signal, errno, verdict, told } = await load(scene, scene.limited, KPROBE);
    const would = { decision: 'would_deny', enforced: false, mode: 'signal' };
    assert.deepEqual([signal, errno, verdict, told], [null, null, would, []]);
  } finally {
    await end(scene);
  }
});
