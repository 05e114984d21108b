import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { place, readEvents, Warden, waitFor } from '#testkit';

/** A look each second: half a second more for the look itself, and as much for a busy machine. */
const WITHIN_MS = 2000;
/** Longer than what the watchdog takes for a pause. */
const PAUSE_MS = 5000;

const at = place('unheard');
const warden = await Warden.start({ place: at });

const guard = () => JSON.parse(readFileSync(join(at.run, 'guard.json'), 'utf8'));
const wrong = (): string => guard().wrong.join();

/** When the monitor said so, ms since 1970 by the kernel's time of it. */
async function said(state: string, found: RegExp): Promise<number> {
  const { event } = await waitFor(`GUARD ${state}`, async () =>
    (await readEvents(at.database)).find(({ event }) => {
      const { state: is, found: text } = Object.fromEntries(
        event.details.map(({ key, value }) => [key, value]),
      );
      return event.act.command === 'GUARD' && is === state && found.test(text ?? '');
    }),
  );
  return event.timeUs / 1000;
}

/** The children of the monitor. */
function services(): number[] {
  const { monitor } = guard();
  const text = readFileSync(`/proc/${monitor}/task/${monitor}/children`, 'utf8');
  return text.trim().split(' ').map(Number);
}

test('services that are stopped are told of within two seconds, and that they go on', async () => {
  await waitFor('a first look', () => wrong() === '');
  const pids = services();
  assert.ok(pids.length > 0);
  const fromMs = Date.now();
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  await waitFor('services that are stopped', () => wrong() === 'stopped');
  assert.equal(guard().runs, true, 'the guard does not wait for them');
  await warden.says(/guard: not heard: the services are stopped/);
  for (const pid of pids) process.kill(pid, 'SIGCONT');
  await waitFor('services that go on', () => wrong() === '');
  const afterMs = (await said('unheard', /the services are stopped/)) - fromMs;
  await said('runs', /heard again/);
  assert.ok(afterMs >= 0 && afterMs <= WITHIN_MS, `${afterMs} ms`);
});

test('a monitor that was stopped says for how long', async () => {
  const { monitor } = guard();
  process.kill(monitor, 'SIGSTOP');
  await sleep(PAUSE_MS);
  process.kill(monitor, 'SIGCONT');
  await said('unheard', /was not watched for [5-9]\.\d s/);
});

test('the end', async () => {
  assert.equal((await warden.stop()).code, 0);
  await warden.clean();
  at.remove();
});
