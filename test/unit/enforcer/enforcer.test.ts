import assert from 'node:assert/strict';
import test from 'node:test';
import type { SubjectEntry } from '#bpf';
import { type Event, encode, hostName, type PrincipalKey, principalKey } from '#event';
import type { Output } from '#log';
import { parsePolicy } from '#policy';
import { openMemoryStore, type Store } from '#state';
import { createLogger } from '#telemetry';
import { Enforcer, type SubjectMap } from '../../../services/enforcer/index.ts';

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

const parsed = parsePolicy(
  'version: 1\nmode: observe\nrealms: [{ name: corp, uids: 10000-59999 }]\n',
  'test',
);
assert.ok(parsed.ok);
const { policy } = parsed;

function tierOutput(principal: PrincipalKey, tier: string, isDefault = false): Output {
  const value = encode('Tier', {
    principal,
    tier,
    default: isDefault,
    trust: 50_000_000,
    reasons: ['S07'],
    cause: 'web-1/00000000000000aa/0/1',
    causeTimeUs: 1_000_000,
  });
  return { topic: 'bpf.tiers', lane: 0, key: principal, value };
}

async function open(store: Store, subjects: Subjects) {
  const events: Event[] = [];
  const enforcer = await Enforcer.open({
    store,
    subjects,
    host: hostName('web-1'),
    mode: 'audit',
    policy,
    logger: createLogger({ level: 'silent', name: 'test', pretty: false }),
    append: (event) => events.push(event),
    now: () => 2000,
  });
  return { enforcer, events };
}

const alice = principalKey('uid:10001@corp');
const elsewhere = principalKey('uid:33@web-2');

const tell = (store: Store, ...outputs: Output[]) =>
  store.commit({ outputs, state: [], position: [] });

test('a lowered principal is in the map under each of its subjects, and that is said', async () => {
  const store = openMemoryStore();
  const subjects = new Subjects();
  const { enforcer, events } = await open(store, subjects);
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
  await tell(store, tierOutput(alice, 'standard', true));
  await enforcer.step();
  assert.deepEqual(subjects.tiers(), {});
});

test('whatever the map holds at start, it ends as it should be', async () => {
  const store = openMemoryStore();
  const first = await open(store, new Subjects());
  await tell(store, tierOutput(alice, 'quarantined'));
  await first.enforcer.step();
  const wrong = new Subjects();
  wrong.set({ kind: 3, id: 10001, tier: 4, revision: 0n });
  wrong.set({ kind: 3, id: 99, tier: 0, revision: 0n });
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
