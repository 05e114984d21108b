import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { StatsMap } from '#bpf';
import { dose, place, readEvents, type SeenEvent, Warden, workload } from '#testkit';

const THREADS = 4;
const CALLS = dose === 'full' ? 500_000 : 50_000;

const detail = ({ event }: SeenEvent, key: string) =>
  event.details.find((one) => one.key === key)?.value ?? '';

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

test('a storm overflows a ring: what is missing is declared, exactly, and placed', async () => {
  const at = place('loss');
  const warden = await Warden.start({
    place: at,
    args: ['--keep'],
    env: { WARDEN_RING_BULK: '65536', WARDEN_RING_OBJECT: '65536' },
  });
  try {
    const { pid, acts } = await workload('storm', [String(THREADS), String(CALLS)]);
    await warden.stop();
    const stats = new StatsMap(join(at.run, 'bpf/stats'));
    const counts = stats.read();
    stats.close();
    for (const ring of counts.rings) {
      assert.equal(ring.attempted, ring.delivered + ring.lost, JSON.stringify(ring));
    }
    const seen = await readEvents(at.database);
    const losses = seen.filter(({ event }) => event.act.command === 'LOSS');
    const declared = sum(losses.map(({ event }) => event.act.count));
    const lost = sum(counts.rings.map((ring) => ring.lost));
    assert.ok(lost > 0, 'the storm was too weak to overflow anything');
    assert.equal(declared, lost, "declared loss is the kernel's own count");
    const stored = sum(
      seen.filter(({ event }) => event.process?.pid === pid).map(({ event }) => event.act.count),
    );
    const made = sum(acts.map(({ count }) => Number(count)));
    assert.equal(made, THREADS * CALLS);
    assert.equal(stored + lost, made);
    for (const loss of losses) {
      const after = detail(loss, 'after_position');
      assert.ok(after === 'start' || Number(after) <= Number(detail(loss, 'before_position')));
    }
  } finally {
    await warden.clean();
    at.remove();
  }
});
