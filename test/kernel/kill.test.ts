import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { StatsMap } from '#bpf';
import {
  dose,
  type Placed,
  place,
  readEvents,
  run,
  type SeenEvent,
  seed,
  type Truth,
  Warden,
  waitFor,
  workload,
} from '#testkit';

const KILLS = dose === 'full' ? 200 : 20;
const DICE = 1000;
/** Commands whose records go to the object ring. */
const OBJECT_COMMANDS = new Set([
  'PROG_LOAD',
  'MAP_CREATE',
  'OBJ_PIN',
  'OBJ_GET',
  'PROG_ATTACH',
  'PROG_DETACH',
  'PROG_TEST_RUN',
  'PROG_GET_FD_BY_ID',
  'MAP_GET_FD_BY_ID',
  'BTF_GET_FD_BY_ID',
  'LINK_GET_FD_BY_ID',
  'RAW_TRACEPOINT_OPEN',
  'BTF_LOAD',
  'MAP_FREEZE',
  'LINK_CREATE',
  'LINK_UPDATE',
  'LINK_DETACH',
  'ENABLE_STATS',
  'ITER_CREATE',
  'PROG_BIND_MAP',
  'TOKEN_CREATE',
]);

/** Random numbers from 0 to 1, of this run's seed. */
function dice(): () => number {
  const sides = fc.array(fc.nat(DICE), { minLength: DICE, maxLength: DICE });
  const [values = []] = fc.sample(sides, { seed, numRuns: 1 });
  let at = 0;
  return () => {
    at += 1;
    return (values[at % DICE] ?? 0) / DICE;
  };
}

interface Load {
  readonly children: number;
  readonly pauseMs: number;
}

/** Processes that make one act each, until told to stop. */
async function keepActing({ children, pauseMs }: Load, signal: AbortSignal): Promise<Truth[]> {
  const acts: Truth[] = [];
  while (!signal.aborted) {
    acts.push(...(await workload('churn', [String(children), '4'])).acts);
    await sleep(pauseMs);
  }
  return acts;
}

/** kill -9 at random moments: of the services, and of everything, in turn. */
async function killMany(current: { warden: Warden }, env: Record<string, string>): Promise<void> {
  const next = dice();
  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(next() * 400);
    if (kill % 2 === 0) {
      current.warden.killServices();
      await waitFor('the services again', () => current.warden.servicePids().length > 0);
    } else {
      await current.warden.killAll();
      current.warden = await Warden.start({ place: current.warden.place, args: ['--keep'], env });
    }
  }
}

interface Outcome {
  readonly acts: readonly Truth[];
  readonly seen: readonly SeenEvent[];
  readonly kernelLost: number;
  /** By the object ring. */
  readonly delivered: number;
  readonly declared: number;
}

async function killUnder(load: Load, env: Record<string, string>, at: Placed): Promise<Outcome> {
  console.log(`seed ${seed}`);
  const stop = new AbortController();
  const current = { warden: await Warden.start({ place: at, args: ['--keep'], env }) };
  const acting = keepActing(load, stop.signal);
  try {
    await killMany(current, env);
    stop.abort();
    const acts = await acting;
    const stats = new StatsMap(join(at.run, 'bpf/stats'));
    await current.warden.stop();
    const { rings } = stats.read();
    stats.close();
    for (const ring of rings) assert.equal(ring.attempted, ring.delivered + ring.lost);
    const seen = await readEvents(at.database);
    const declared = seen
      .filter(({ event }) => event.act.command === 'LOSS')
      .reduce((sum, { event }) => sum + event.act.count, 0);
    const kernelLost = rings.reduce((sum, { lost }) => sum + lost, 0);
    return { acts, seen, declared, kernelLost, delivered: rings[1]?.delivered ?? 0 };
  } finally {
    stop.abort();
    await current.warden.clean();
  }
}

/** How often each pid made a map, as the log has it or as the workload says. */
function byPid(pids: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const pid of pids) counts.set(pid, (counts.get(pid) ?? 0) + 1);
  return counts;
}

/** Of the acts themselves: a map whose making was lost shows up as DRIFT, under no pid. */
const storedPids = (seen: readonly SeenEvent[]) =>
  seen.flatMap(({ event: { act, map, process } }) =>
    act.command === 'MAP_CREATE' && map?.name === 'wl_churn' ? [process?.pid ?? 0] : [],
  );

/** Chains, MACs, and a fold from the beginning against the state that the kills went over. */
async function verify(at: Placed): Promise<void> {
  const { code, stdout, stderr } = await run('./warden', ['verify', '--json', '--state', at.state]);
  assert.equal(code, 0, stdout + stderr);
  const { ok, differences, report } = JSON.parse(stdout);
  assert.equal(ok, true);
  assert.deepEqual(differences, []);
  assert.ok(report.events > 100);
}

test(`${KILLS} times kill -9: each act is stored, and once; the fold is undisturbed`, async () => {
  const at = place('kill');
  try {
    const env = { WARDEN_RING_OBJECT: String(16 << 20) };
    const { acts, seen, declared } = await killUnder({ children: 20, pauseMs: 50 }, env, at);
    assert.ok(acts.length > 100, `${acts.length} acts`);
    assert.equal(declared, 0, 'the ring held everything');
    const made = byPid(acts.map(({ pid }) => Number(pid)));
    const stored = byPid(storedPids(seen));
    const wrong = [...made].filter(([pid, count]) => stored.get(pid) !== count);
    assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} of ${made.size} pids`);
    assert.ok(!seen.some(({ event }) => event.act.command === 'RING_TAMPER'));
    await verify(at);
  } finally {
    at.remove();
  }
});

test(`${KILLS} times kill -9 and an overflow: nothing twice, each hole declared`, async () => {
  const at = place('kill-storm');
  try {
    const env = { WARDEN_RING_OBJECT: '65536' };
    const outcome = await killUnder({ children: 200, pauseMs: 0 }, env, at);
    const { acts, seen, declared, delivered, kernelLost } = outcome;
    assert.ok(kernelLost > 0, 'nothing overflowed');
    assert.equal(declared, kernelLost, "declared loss is the kernel's own count");
    // What is not allowed has a ring of its own.
    const objectEvents = seen.filter(
      ({ event: { act, verdict } }) =>
        verdict.decision === 'allow' && OBJECT_COMMANDS.has(act.command),
    );
    assert.equal(objectEvents.length, delivered, 'what the kernel delivered is what is stored');
    const stored = storedPids(seen);
    // Others on this machine may have lost records too.
    assert.ok(stored.length + declared >= acts.length);
    const made = byPid(acts.map(({ pid }) => Number(pid)));
    const twice = [...byPid(stored)].filter(([pid, count]) => count > (made.get(pid) ?? 0));
    assert.deepEqual(twice, []);
    await verify(at);
  } finally {
    at.remove();
  }
});
