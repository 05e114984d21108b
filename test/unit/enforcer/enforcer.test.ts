import assert from 'node:assert/strict';
import test from 'node:test';
import type { HostCeiling, ReflexEntry, SubjectEntry } from '#bpf';
import { type Event, encode, hostName, type PrincipalKey, principalKey, type Reflex } from '#event';
import type { Output } from '#log';
import { parsePolicy } from '#policy';
import { openMemoryStore, type Store } from '#state';
import { createLogger } from '#telemetry';
import {
  Enforcer,
  type EnforcerOptions,
  type SubjectMap,
} from '../../../services/enforcer/index.ts';

/** The port, in memory. */
class Subjects implements SubjectMap {
  readonly entries = new Map<string, SubjectEntry>();

  read(): SubjectEntry[] {
    return [...this.entries.values()];
  }

  set(entry: SubjectEntry): void {
    this.entries.set(`${entry.kind}/${entry.id}`, entry);
  }

  remove(kind: number, id: number): boolean {
    return this.entries.delete(`${kind}/${id}`);
  }

  tiers(): Record<string, number> {
    return Object.fromEntries([...this.entries].map(([key, { tier }]) => [key, tier]));
  }
}

/** Of the whole host: its ceiling, and who was root on it. */
class Host {
  ceiling: HostCeiling | null = null;
  readonly admins: { readonly kind: number; readonly id: number }[] = [];

  read(): HostCeiling | null {
    return this.ceiling;
  }

  set(ceiling: HostCeiling | null): void {
    this.ceiling = ceiling;
  }
}

const parsed = parsePolicy(
  `version: 1
mode: observe
realms: [{ name: corp, uids: 10000-59999 }]
trusted: ["uid:10009@corp"]
`,
  'test',
);
assert.ok(parsed.ok);
const { policy } = parsed;

interface More {
  readonly isDefault?: boolean;
  readonly reflex?: Reflex;
  readonly pinned?: boolean;
  readonly approved?: boolean;
  readonly reasons?: readonly string[];
}

function tierOutput(principal: PrincipalKey, tier: string, more: More = {}): Output {
  const value = encode('Tier', {
    principal,
    tier,
    default: more.isDefault ?? false,
    trust: 50_000_000,
    reasons: more.reasons ?? ['S07'],
    pinned: more.pinned ?? false,
    approved: more.approved ?? false,
    cause: 'web-1/00000000000000aa/0/1',
    causeTimeUs: 1_000_000,
    reflex: more.reflex ?? null,
  });
  return { topic: 'bpf.tiers', lane: 0, key: principal, value };
}

interface Clock {
  nowMs: number;
}

async function open(
  store: EnforcerOptions['store'],
  subjects: Subjects,
  reflexes: readonly ReflexEntry[] = [],
  clock: Clock = { nowMs: 2000 },
  host = new Host(),
  inForce = policy,
  source: EnforcerOptions['source'] = 'host',
) {
  const events: Event[] = [];
  const enforcer = await Enforcer.open({
    store,
    source,
    subjects,
    reflexes: { read: () => [...reflexes] },
    hostMap: host,
    admins: { read: () => host.admins },
    breaker: { least: 20, sharePermille: 100, hostsPermille: 100, withinMs: 60_000 },
    population: async () => ({ principals: 100, hosts: 2 }),
    bootId: 'boot-1',
    host: hostName('web-1'),
    mode: 'audit',
    policy: inForce,
    logger: createLogger({ level: 'silent', name: 'test', pretty: false }),
    append: (event) => events.push(event),
    now: () => clock.nowMs,
    bootNow: () => BigInt(clock.nowMs) * 1_000_000n,
  });
  return { enforcer, events };
}

const alice = principalKey('uid:10001@corp');
const elsewhere = principalKey('uid:33@web-2');

const NO_ACK = { foldedBootNs: 0n, ackedBootNs: 0n };

const tell = (store: Store, ...outputs: Output[]) =>
  store.commit({ outputs, state: [], position: [] });

test('a lowered principal is in the map under each of its subjects, and that is said', async () => {
  const store = openMemoryStore();
  const subjects = new Subjects();
  const { enforcer, events } = await open(store, subjects);
  events.length = 0;
  await tell(store, tierOutput(alice, 'restricted'), tierOutput(elsewhere, 'denied'));
  await enforcer.step();
  assert.deepEqual(subjects.tiers(), { '1/10001': 2, '3/10001': 2 });
  assert.equal(events.length, 2);
  const said = Object.fromEntries(events[0]?.details.map(({ key, value }) => [key, value]) ?? []);
  assert.equal(said.effect, 'not enforceable here');
  assert.equal(said.latency_ms, '1000');
});

test('a return to the default takes the subjects out', async () => {
  const store = openMemoryStore();
  const subjects = new Subjects();
  const { enforcer } = await open(store, subjects);
  await tell(store, tierOutput(alice, 'restricted'));
  await enforcer.step();
  await tell(store, tierOutput(alice, 'standard', { isDefault: true }));
  await enforcer.step();
  assert.deepEqual(subjects.tiers(), {});
});

test('whatever the map holds at start, it ends as it should be', async () => {
  const store = openMemoryStore();
  const first = await open(store, new Subjects());
  await tell(store, tierOutput(alice, 'quarantined'));
  await first.enforcer.step();
  const wrong = new Subjects();
  wrong.set({ ...NO_ACK, kind: 3, id: 10001, tier: 4, pinned: false, revision: 0n });
  wrong.set({ ...NO_ACK, kind: 3, id: 99, tier: 0, pinned: false, revision: 0n });
  const { events } = await open(store, wrong);
  assert.deepEqual(wrong.tiers(), { '1/10001': 1, '3/10001': 1 });
  assert.equal(events.length, 3, 'each mended entry is said');
});

test('an older revision replaces no newer one', async () => {
  const store = openMemoryStore();
  const subjects = new Subjects();
  const { enforcer } = await open(store, subjects);
  await tell(store, tierOutput(alice, 'restricted'), tierOutput(alice, 'denied'));
  await enforcer.step();
  assert.deepEqual(subjects.tiers(), { '1/10001': 0, '3/10001': 0 });
  const again = await open(store, subjects);
  assert.deepEqual(subjects.tiers(), { '1/10001': 0, '3/10001': 0 });
  assert.deepEqual(again.events, [], 'nothing to mend, nothing to say');
});

test('a reflex is acknowledged by a tier of this boot, until the guard has ended it', async () => {
  const store = openMemoryStore();
  const subjects = new Subjects();
  const reflexes: ReflexEntry[] = [
    { kind: 1, id: 10001, tier: 1, rule: 5, causeBootNs: 700n, forNs: 10n },
  ];
  const clock = { nowMs: 2000 };
  const { enforcer } = await open(store, subjects, reflexes, clock);
  const from = { host: 'web-1', bootId: 'boot-1', bootNs: '700' };
  await tell(
    store,
    tierOutput(alice, 'standard', { isDefault: true, reflex: { ...from, bootId: 'boot-0' } }),
  );
  await tell(
    store,
    tierOutput(alice, 'standard', { isDefault: true, reflex: { ...from, host: 'web-2' } }),
  );
  await enforcer.step();
  assert.deepEqual(subjects.tiers(), {}, 'said of another boot or host');
  await tell(store, tierOutput(alice, 'standard', { isDefault: true, reflex: from }));
  await enforcer.step();
  const said = { revision: 0n, tier: 3, pinned: false };
  const ack = { foldedBootNs: 700n, ackedBootNs: 2_000_000_000n, ...said };
  assert.deepEqual(subjects.entries.get('1/10001'), { kind: 1, id: 10001, ...ack });

  clock.nowMs = 50_000;
  const again = await open(store, subjects, reflexes, clock);
  assert.deepEqual(subjects.entries.get('1/10001'), { kind: 1, id: 10001, ...ack });
  await again.enforcer.step();
  reflexes.pop();
  // Set back, far: nobody waits until it has caught up.
  clock.nowMs = 30_000;
  await again.enforcer.step();
  assert.deepEqual(subjects.tiers(), {});
  const last = await open(store, subjects, reflexes, clock);
  assert.deepEqual(subjects.tiers(), {});
  assert.deepEqual(last.events, []);
});

const person = (n: number) => principalKey(`uid:${10_100 + n}@corp`);
const lowered = ({ entries }: Subjects) =>
  [...entries.values()].filter(({ kind, tier }) => kind === 1 && tier < 3).length;

test('the breaker holds back what goes beyond it, says so, and lets an approval pass', async () => {
  const store = openMemoryStore();
  const subjects = new Subjects();
  const { enforcer, events } = await open(store, subjects);
  events.length = 0;
  const all = Array.from({ length: 25 }, (_, n) => tierOutput(person(n), 'restricted'));
  await tell(store, ...all);
  await enforcer.step();
  // 20 always may; the 21st is more than a tenth of 100.
  assert.equal(lowered(subjects), 20);
  const held = events.filter(({ act }) => act.command === 'BREAKER');
  assert.deepEqual(
    held.map(({ details }) => details.find(({ key }) => key === 'for_principal')?.value),
    [20, 21, 22, 23, 24].map(person),
  );
  // It is remembered, and holds after a restart.
  const again = await open(store, subjects);
  assert.equal(lowered(subjects), 20);
  await tell(store, tierOutput(person(24), 'restricted', { approved: true }));
  await again.enforcer.step();
  assert.equal(lowered(subjects), 21);
  // Forgiven meanwhile: nothing is pending any more.
  await tell(store, tierOutput(person(23), 'standard', { isDefault: true }));
  await again.enforcer.step();
  assert.equal(lowered(subjects), 21);
});

test('what an operator pins and who tampers is never held back', async () => {
  const store = openMemoryStore();
  const subjects = new Subjects();
  const { enforcer } = await open(store, subjects);
  const all = Array.from({ length: 22 }, (_, n) => tierOutput(person(n), 'restricted'));
  const pinned = tierOutput(person(30), 'denied', { pinned: true });
  const tamper = tierOutput(person(31), 'denied', { reasons: ['S01'] });
  await tell(store, ...all, pinned, tamper);
  await enforcer.step();
  assert.equal(lowered(subjects), 22);
  assert.equal(subjects.tiers()['1/10130'], 0);
  assert.equal(subjects.tiers()['1/10131'], 0);
});

test('a minute later the breaker counts anew', async () => {
  const store = openMemoryStore();
  const subjects = new Subjects();
  const clock = { nowMs: 2000 };
  const { enforcer } = await open(store, subjects, [], clock);
  const batch = (from: number) =>
    Array.from({ length: 20 }, (_, n) => tierOutput(person(from + n), 'restricted'));
  await tell(store, ...batch(0));
  await enforcer.step();
  clock.nowMs += 60_000;
  await tell(store, ...batch(100));
  await enforcer.step();
  assert.equal(lowered(subjects), 40);
});

const AUID = 1;

test('the fall of a root takes the host along, until it is pardoned; of nobody else', async () => {
  const store = openMemoryStore();
  const host = new Host();
  const bob = principalKey('uid:10002@corp');
  host.admins.push({ kind: AUID, id: 10001 });
  const { enforcer, events } = await open(store, new Subjects(), [], undefined, host);
  await tell(store, tierOutput(bob, 'denied'), tierOutput(alice, 'restricted'));
  await enforcer.step();
  assert.equal(host.ceiling, null, 'who was never root, and who has not fallen that far');

  await tell(store, tierOutput(alice, 'quarantined'));
  await enforcer.step();
  assert.deepEqual(host.ceiling, { tier: 2, revision: 2n });
  const said = events.findLast(({ details }) => details.some(({ value }) => value === 'host'));
  assert.ok(
    said?.details.some(({ value }) => value === alice),
    'the event names who it was',
  );

  // The kernel has forgotten who was root, as after a boot: the enforcer has not.
  host.admins.length = 0;
  host.ceiling = null;
  const again = await open(store, new Subjects(), [], undefined, host);
  assert.deepEqual(host.ceiling, { tier: 2, revision: 2n });
  await tell(store, tierOutput(alice, 'denied'));
  await again.enforcer.step();
  assert.equal((host.ceiling as HostCeiling | null)?.tier, 2, 'further down is not another fall');

  await tell(store, tierOutput(alice, 'standard', { isDefault: true }));
  await again.enforcer.step();
  assert.equal(host.ceiling, null);
});

test('a policy may leave the host as it is, and take a ceiling back', async () => {
  const store = openMemoryStore();
  const host = new Host();
  host.admins.push({ kind: AUID, id: 10001 });
  await open(store, new Subjects(), [], undefined, host);
  await tell(store, tierOutput(alice, 'denied'));
  await open(store, new Subjects(), [], undefined, host);
  assert.equal((host.ceiling as HostCeiling | null)?.tier, 2);
  await open(store, new Subjects(), [], undefined, host, { ...policy, rootFall: 4 });
  assert.equal(host.ceiling, null);
  await open(store, new Subjects(), [], undefined, host, { ...policy, rootFall: 3 });
  assert.equal((host.ceiling as HostCeiling | null)?.tier, 3);
});

test('the fleet’s tiers are read from their beginning by a host that was for itself', async () => {
  const store = openMemoryStore();
  const fleet = openMemoryStore();
  const subjects = new Subjects();
  const bob = principalKey('uid:10002@corp');
  const both = {
    log: fleet.log,
    commit: store.commit.bind(store),
    position: store.position.bind(store),
    scan: store.scan.bind(store),
  };
  const openFleet = () => open(both, subjects, [], undefined, undefined, undefined, 'fleet');
  await tell(fleet, tierOutput(bob, 'denied'));
  const { enforcer } = await open(store, subjects);
  await tell(store, tierOutput(alice, 'restricted'), tierOutput(alice, 'denied'));
  await enforcer.step();
  assert.deepEqual(subjects.tiers(), { '1/10001': 0, '3/10001': 0 });
  await openFleet();
  assert.deepEqual(subjects.tiers(), { '1/10002': 0, '3/10002': 0 });
  await openFleet();
  assert.deepEqual(subjects.tiers(), { '1/10002': 0, '3/10002': 0 }, 'and so it stays');
  await open(store, subjects);
  assert.deepEqual(subjects.tiers(), { '1/10001': 0, '3/10001': 0 });
});
