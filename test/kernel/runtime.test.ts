import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { place, readEvents, run, Warden, waitFor } from '#testkit';

/** What a loader of kind `runtime` starts carries its name, as far down as it goes. */
const at = place('runtime');
const starter = join(at.root, 'starter');
copyFileSync('/bin/dash', starter);
const policy = join(at.root, 'policy.yaml');
writeFileSync(
  policy,
  `version: 1
mode: observe
signals: { S21: { weight: 0 } }
loaders:
  - { name: starter, kind: runtime, match: { path: ${starter} } }
  - { name: bpftool, kind: tool, match: { path: /usr/sbin/bpftool } }
`,
);
const warden = await Warden.start({ place: at, policy });

/** A map id that nobody has names the call. */
async function runtimeOf(id: number, command: string, ...args: string[]) {
  await run(command, args);
  return waitFor(`an act on map ${id}`, async () => {
    const acts = (await readEvents(at.database)).filter(
      ({ event }) => event.map?.id === id && event.process?.comm === 'bpftool',
    );
    const details = acts[0]?.event.details;
    return details && { runtime: details.find(({ key }) => key === 'runtime')?.value ?? null };
  }).then(({ runtime }) => runtime);
}

const show = (id: number) => `/usr/sbin/bpftool map show id ${id}`;

test('by fork, by exec without one, and below a shell that it started', async () => {
  assert.equal(
    await runtimeOf(4_100_000_001, starter, '-c', `${show(4_100_000_001)}; :`),
    'starter',
  );
  assert.equal(
    await runtimeOf(4_100_000_002, starter, '-c', `exec ${show(4_100_000_002)}`),
    'starter',
  );
  const below = `/bin/sh -c '${show(4_100_000_003)}; :'; :`;
  assert.equal(await runtimeOf(4_100_000_003, starter, '-c', below), 'starter');
});

test('what others start carries nothing', async () => {
  assert.equal(await runtimeOf(4_100_000_004, '/bin/sh', '-c', `${show(4_100_000_004)}; :`), null);
});

test('the end', async () => {
  assert.equal((await warden.stop()).code, 0);
  await warden.clean();
  at.remove();
});
