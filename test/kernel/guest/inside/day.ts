import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { run, type SeenEvent } from '#testkit';
import { admin, keys, logins, restartedSshd } from './day-login.ts';
import { dhcp, reexecuted, udev, units } from './day-system.ts';
import { bpftool, bpftrace, libbpf, SKELETON, tcpdump } from './day-tools.ts';
import { COMPLAINT, eventsOf, find, installed, open } from './support.ts';

/**
 * A server's day under `enforce`, with the policy that we ship for it (`day.test.ts`): all that
 * uses BPF there does its job, and nobody is refused anything.
 */
const DAYS = Number(process.env.WARDEN_DAYS ?? 1);
const POLICY = readFileSync('/job/policy.yaml', 'utf8');

const PARTS = { logins, bpftool, bpftrace, tcpdump, libbpf, udev, dhcp, restartedSshd };
/** What runs once: it is long. */
const ONCE = { units, reexecuted };

installed('skeleton', 'skeleton');
assert.ok(POLICY.includes(SKELETON), 'the policy names it');
keys();
const scene = await open('day', POLICY);

/** Ours are not there for who lists all: bpftool goes on to the next. */
const isRefused = ({ event: { verdict } }: SeenEvent) =>
  verdict.decision !== 'allow' && verdict.rule !== 'guard.hidden';

/** Tokens are for who is granted them: libbpf (1.5 and later) asks, and goes on without. */
const isKnown = ({ event: { act } }: SeenEvent) => act.command === 'TOKEN_CREATE';

async function nobodyWasRefused(): Promise<void> {
  await admin(
    'bpftool map create /sys/fs/bpf/evening type hash key 4 value 4 entries 2 name evening',
  );
  await admin('rm /sys/fs/bpf/evening');
  await find(scene, 'the last of it', ({ event }) => event.map?.name === 'evening');
  const seen = await eventsOf(scene);
  const refused = seen.filter(isRefused);
  const wrong = refused.filter((one) => !isKnown(one));
  const told = wrong.map(({ event: { principal, loader, act, program, verdict } }) =>
    [principal, loader?.name, act.command, program?.type, program?.name, verdict.rule].join(' '),
  );
  assert.deepEqual(told, []);
  const hidden = seen.filter(({ event }) => event.verdict.rule === 'guard.hidden').length;
  console.log(`# ${seen.length} events, 0 refusals but ${refused.length} that are known`);
  console.log(`# ${hidden} look-ups of what is ours`);
}

function timed(name: string, part: () => Promise<void>): void {
  test(name, async () => {
    const fromMs = Date.now();
    await part();
    console.log(`# ${name}: ${((Date.now() - fromMs) / 1000).toFixed(1)} s`);
  });
}

for (let day = 1; day <= DAYS; day++) {
  for (const [name, part] of Object.entries(PARTS)) timed(`day ${day}: ${name}`, part);
}
for (const [name, part] of Object.entries(ONCE)) timed(name, part);
test('nobody was refused anything', nobodyWasRefused);
test('the kernel has nothing to complain about', async () => {
  assert.doesNotMatch((await run('dmesg', [])).stdout, COMPLAINT);
});
test('the end', () => scene.end());
