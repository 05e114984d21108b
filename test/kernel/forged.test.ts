import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { place, readEvents, seed, Warden, waitFor, workload } from '#testkit';

const COUNT = 300;

test('records that no program of ours wrote: each is reported, none is taken', async () => {
  console.log(`seed ${seed}`);
  const at = place('forged');
  const warden = await Warden.start({ place: at });
  try {
    const ring = join(at.run, 'bpf/ring_bulk');
    const { acts: forged } = await workload('forge', [ring, String(COUNT), String(seed)]);
    assert.equal(forged.length, COUNT);
    const { acts } = await workload('churn', ['1']);
    await waitFor('the act after them', async () =>
      (await readEvents(at.database)).find(({ event }) => event.process?.pid === acts[0]?.pid),
    );
    const { code } = await warden.stop();
    assert.equal(code, 0);
    const seen = await readEvents(at.database);
    const tampered = seen.filter(({ event }) => event.act.command === 'RING_TAMPER');
    assert.equal(tampered.length, COUNT);
    const { json } = tampered.at(-1) ?? {};
    assert.ok(json?.trust?.signals.includes('S01') || json?.trust?.tier === 'denied');
  } finally {
    await warden.clean();
    at.remove();
  }
});
