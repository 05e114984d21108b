import assert from 'node:assert/strict';
import test from 'node:test';
import { waitFor } from '#testkit';
import { Service } from '../../../fleet/process.ts';
import { kprobe, loadAs } from './loading.ts';

/**
 * A host of a fleet whose centre is outside of this guest: what somebody does here comes back as
 * their tier. Ends with one line of JSON for the test outside.
 */
const ALICE = 10001;
const BOB = 10002;
const PID_TGID = 14;
const PROBE_WRITE_USER = 36;
const HARMLESS = kprobe(PID_TGID);
/** Emulated, some twenty times slower than on a machine. */
const WITHIN_MS = 60_000;

interface Health {
  readonly ready: boolean;
  readonly lag: number;
}

async function health(): Promise<Health> {
  const ask = (path: string) => fetch(`http://${process.env.WARDEN_HEALTH}${path}`);
  try {
    const { ok } = await ask('/readyz');
    const { status } = (await (await ask('/healthz')).json()) as { status: { lag: number } };
    return { ready: ok, lag: status.lag };
  } catch {
    return { ready: false, lag: -1 };
  }
}

/** What the clock outside shows, less what ours does, ms. */
async function skewMs(): Promise<number> {
  const startMs = Date.now();
  const outside = Number(await (await fetch(process.env.FLEET_CLOCK ?? '')).text());
  return outside - (startMs + Date.now()) / 2;
}

const agent = new Service(['collector'], {});

async function isReady(): Promise<boolean> {
  if (!agent.isRunning) throw new Error('the agent has ended');
  return (await health()).ready;
}

test('an act here, a verdict from afar, and the next call is refused here', async () => {
  try {
    await skewMs();
    await waitFor('an agent that is ready', isReady, WITHIN_MS);
    assert.equal(await loadAs(ALICE, HARMLESS), null, 'harmless: allowed');
    assert.equal(await loadAs(ALICE, kprobe(PID_TGID, PROBE_WRITE_USER)), 'EPERM');
    const refusedMs = await waitFor(
      'a harmless call that is refused',
      async () => ((await loadAs(ALICE, HARMLESS)) === 'EPERM' ? Date.now() : null),
      WITHIN_MS,
    );
    assert.equal(await loadAs(BOB, HARMLESS), null, 'bob');
    await waitFor('all sent', async () => (await health()).lag === 0, WITHIN_MS);
    console.log(`fleet ${JSON.stringify({ refusedMs, skewMs: await skewMs() })}`);
  } catch (error) {
    console.log(agent.said);
    throw error;
  } finally {
    assert.equal(await agent.stop(), 0, agent.said);
  }
});
