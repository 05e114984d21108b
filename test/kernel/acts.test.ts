import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { place, readEvents, type SeenEvent, type Truth, Warden, waitFor, workload } from '#testkit';

/** The workload prints a command without a name by its number. */
const commandOf = ({ command }: Truth) => (/^\d+$/.test(command) ? `CMD_${command}` : command);
const errnoOf = ({ errno }: Truth) => (/^\d+$/.test(String(errno)) ? 'ENOTSUPP' : errno);

/** What makes two acts the same kind of act, as far as both sides know it for sure. */
function kindOfTruth(truth: Truth): string {
  const via = truth.via ?? (truth.compat === true ? 'bpf_compat' : 'bpf');
  return [truth.pid, commandOf(truth), errnoOf(truth), via].join(' ');
}

function kindOfEvent({ event }: SeenEvent): string {
  const { act, process } = event;
  return [process?.pid, act.command, act.errno, act.via].join(' ');
}

function sums<T>(items: readonly T[], kind: (item: T) => string, count: (item: T) => number) {
  const totals = new Map<string, number>();
  for (const item of items) {
    totals.set(kind(item), (totals.get(kind(item)) ?? 0) + count(item));
  }
  return new Map([...totals].sort());
}

/** Calls for which the kernel ran no program of ours, as far as we were told: 7.0 and later. */
function declaredSkips(seen: readonly SeenEvent[]): number {
  const skips = seen.filter(({ event }) =>
    event.details.some(({ key, value }) => key === 'ring' && value === 'skipped'),
  );
  return skips.reduce((sum, { event }) => sum + event.act.count, 0);
}

/** Each act as often as the workload made it: none missing but those declared, none twice. */
function compareCounts(acts: readonly Truth[], seen: readonly SeenEvent[]): void {
  const pids = new Set(acts.map(({ pid }) => pid));
  const theirs = seen.filter(({ event }) => pids.has(event.process?.pid ?? -1));
  const found = sums(theirs, kindOfEvent, ({ event }) => event.act.count);
  const made = sums(acts, kindOfTruth, ({ count }) => Number(count));
  let spare = declaredSkips(seen);
  for (const [kind, count] of made) {
    const missing = count - (found.get(kind) ?? 0);
    if (missing <= 0 || missing > spare) continue;
    spare -= missing;
    found.set(kind, count);
  }
  assert.deepEqual(new Map([...found].sort()), made);
}

/**
 * What can be seen: seccomp's refusals stand before the guard's hooks, and without these only
 * bpf(2) is watched.
 */
function reachable(acts: readonly Truth[], seen: readonly SeenEvent[]): readonly Truth[] {
  const isGuarded = seen.some(({ event }) => ['lsm', 'fmod_ret'].includes(event.verdict.mode));
  const isReachable = ({ note, via }: Truth) =>
    isGuarded ? note !== 'seccomp' : via === undefined;
  return acts.filter(isReachable);
}

const OBJECT_IDS = { map_id: 'map', prog_id: 'program', link_id: 'link' } as const;

/** The event of an act that returned or used a known object agrees in each field. */
function agrees(truth: Truth, seen: readonly SeenEvent[]): boolean {
  const candidates = seen.filter((event) => kindOfEvent(event) === kindOfTruth(truth));
  return candidates.some(({ event }) => {
    for (const [field, object] of Object.entries(OBJECT_IDS)) {
      if (field in truth && event[object]?.id !== truth[field]) return false;
    }
    if ('name' in truth && (event.program ?? event.map)?.name !== truth.name) return false;
    const result = truth.errno === null ? truth.result : -1;
    return event.act.result === result && event.process?.uid === truth.uid;
  });
}

test('every command, success and failure, is in the log as the workload says', async () => {
  const at = place('acts');
  const bpffs = join(at.root, 'bpffs');
  mkdirSync(bpffs);
  execFileSync('mount', ['-t', 'bpf', 'none', bpffs]);
  const warden = await Warden.start({ place: at });
  try {
    const { acts } = await workload('acts', [bpffs]);
    assert.ok(acts.length > 50);
    // Data-plane commands: the first at once, totals each second, which may cut a run of them.
    await waitFor('the totals of a running second', async () => {
      const seen = await readEvents(at.database);
      const lookups = seen.filter(({ event }) => event.act.command === 'MAP_LOOKUP_ELEM');
      const pids = new Set(acts.map(({ pid }) => pid));
      const own = lookups.filter(({ event }) => pids.has(event.process?.pid ?? -1));
      return own.some(({ event }) => event.act.count > 1);
    });
    await warden.stop();
    const seen = await readEvents(at.database);
    const calls = reachable(acts, seen);
    compareCounts(calls, seen);
    const missing = calls.filter((truth) => !agrees(truth, seen));
    assert.ok(missing.length <= declaredSkips(seen), `no event for ${JSON.stringify(missing)}`);
  } finally {
    await warden.clean();
    execFileSync('umount', [bpffs]);
    at.remove();
  }
});

test('short-lived processes: each act under its own pid', async () => {
  const at = place('churn');
  const warden = await Warden.start({ place: at });
  try {
    const { acts } = await workload('churn', ['1000', '8']);
    assert.equal(acts.length, 1000);
    await warden.stop();
    compareCounts(acts, await readEvents(at.database));
  } finally {
    await warden.clean();
    at.remove();
  }
});

test('who made an object, and when it was first seen, is known while it lives', async () => {
  const at = place('owner');
  const warden = await Warden.start({ place: at });
  try {
    const bpffs = join(at.root, 'bpffs');
    mkdirSync(bpffs);
    execFileSync('mount', ['-t', 'bpf', 'none', bpffs]);
    try {
      const pin = join(bpffs, 'kept');
      const sizes = ['type', 'hash', 'key', '4', 'value', '4', 'entries', '2', 'name', 'kept_map'];
      execFileSync('bpftool', ['map', 'create', pin, ...sizes]);
      const made = await waitFor('MAP_CREATE', async () =>
        (await readEvents(at.database)).find(({ event }) => event.map?.name === 'kept_map'),
      );
      execFileSync('bpftool', ['map', 'show', 'id', String(made.event.map?.id)]);
      const asked = await waitFor('MAP_GET_FD_BY_ID', async () =>
        (await readEvents(at.database)).find(
          ({ event }) =>
            event.act.command === 'MAP_GET_FD_BY_ID' && event.map?.id === made.event.map?.id,
        ),
      );
      assert.equal(asked.event.map?.owner, made.event.principal);
    } finally {
      execFileSync('umount', [bpffs]);
    }
  } finally {
    await warden.clean();
    at.remove();
  }
});
