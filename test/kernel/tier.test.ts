import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { Host, native, Raise, Reflex, Subject, SubjectState, TierCase } from '#bpf';
import { hostName } from '#event';
import { compilePolicy, defaultPolicy } from '#policy';
import { dose, type Placed, place, seed, Warden } from '#testkit';

const LOADER = resolve(import.meta.dirname, '../../bpf/build/warden-load');
/** For each ceiling. */
const RUNS = dose === 'full' ? 30_000 : 500;
const STANDARD = 3;
const TRUSTED = 4;
const CARRIED = 4;
const FROM = ['subject', 'ceiling', 'reflex', 'carried', 'pin', 'glass', 'floor', 'host'];
/** Of loaders: unknown, agent, tool, login, runtime. */
const TOOL = 2;
const RUNTIME = 4;
/** CLOCK_BOOTTIME of a time that never comes, and of one that is over. */
const NEVER = (1n << 63n) - 1n;
const OVER = 1n;

/** What the maps say of a subject. Times are only ever over or not. */
interface Said {
  readonly state: { tier: number; pinned: boolean } | null;
  readonly base: number | null;
  readonly pin: { tier: number; lasts: boolean } | null;
  readonly glass: { commands: bigint; overCeiling: boolean; lasts: boolean } | null;
  readonly observe: { lasts: boolean } | null;
  readonly reflex: number | null;
}

interface Case {
  readonly self: Said;
  readonly carried: readonly Said[];
  readonly floor: number;
  readonly command: number;
  /** Of a host whose root has fallen. */
  readonly host: number | null;
  readonly kind: number;
}

interface Found {
  readonly tier: number;
  readonly from: string;
  readonly observed: boolean;
}

const tier = fc.nat(TRUSTED);
const lasts = fc.boolean();
const commands = fc.oneof(fc.constant((1n << 64n) - 1n), fc.constant(1n << 5n), fc.constant(0n));
const saidArb: fc.Arbitrary<Said> = fc.record({
  state: fc.option(fc.record({ tier, pinned: fc.boolean() })),
  base: fc.option(tier),
  pin: fc.option(fc.record({ tier, lasts })),
  glass: fc.option(fc.record({ commands, overCeiling: fc.boolean(), lasts }), { freq: 2 }),
  observe: fc.option(fc.record({ lasts }), { freq: 2 }),
  reflex: fc.option(tier, { freq: 2 }),
});
const caseArb: fc.Arbitrary<Case> = fc.record({
  self: saidArb,
  carried: fc.array(saidArb, { maxLength: CARRIED }),
  floor: tier,
  command: fc.constantFrom(0, 5, 63, 64, 69),
  host: fc.option(tier, { freq: 2 }),
  kind: fc.nat(RUNTIME),
});

/** As docs/concepts and bpf/README.md have it, in the order of their sentences. */
function expected(one: Case, ceiling: number): Found {
  const { self, carried, floor, command } = one;
  const observed = self.observe?.lasts ?? false;
  const { glass } = self;
  let now = own(self);
  const lower = (tier: number, from: string) => {
    if (tier < now.tier) now = { tier, from };
  };
  const underCeilings = () => {
    if (one.host !== null && (one.kind === 0 || one.kind === TOOL)) lower(one.host, 'host');
    lower(ceiling, 'ceiling');
    return { ...now, observed };
  };
  if (glass?.lasts && command < 64 && (glass.commands >> BigInt(command)) & 1n) {
    now = { tier: TRUSTED, from: 'glass' };
    return glass.overCeiling ? { ...now, observed } : underCeilings();
  }
  for (const one of carried) lower(own(one).tier, 'carried');
  if (!self.state?.pinned && now.tier < floor) now = { tier: floor, from: 'floor' };
  return underCeilings();
}

function own({ state, base, pin, reflex }: Said): { tier: number; from: string } {
  const usual = Math.min(base ?? STANDARD, state?.tier ?? TRUSTED);
  const raised = pin?.lasts === true && !state?.pinned;
  const now = raised ? { tier: pin.tier, from: 'pin' } : { tier: usual, from: 'subject' };
  if (reflex !== null && reflex < now.tier) return { tier: reflex, from: 'reflex' };
  return now;
}

/** The maps of a load, written as only root can. */
class Maps {
  private readonly fds: Readonly<Record<string, number>>;

  constructor({ run }: Placed) {
    const names = ['subjects', 'raises', 'reflexes', 'state', 'tier', 'host'];
    const open = (name: string) => [name, native().objGet(join(run, 'bpf', name), 0)];
    this.fds = Object.fromEntries(names.map(open));
    this.countReflexes();
  }

  close(): void {
    for (const fd of Object.values(this.fds)) native().closeFd(fd);
  }

  /** The programs look into the map of reflexes only while it is counted as not empty. */
  private countReflexes(): void {
    const fd = this.fd('state');
    const value = new Uint8Array(native().mapInfo(fd)[3]);
    native().mapLookup(fd, new Uint8Array(4), value);
    new DataView(value.buffer).setBigUint64(value.length - 16, 1n, true);
    native().mapUpdate(fd, new Uint8Array(4), value, 0);
  }

  private fd(name: string): number {
    return this.fds[name] as number;
  }

  private put(map: string, key: Uint8Array, value: Uint8Array | null): void {
    if (value === null) native().mapDelete(this.fd(map), key);
    else native().mapUpdate(this.fd(map), key, value, 0);
  }

  say(id: number, said: Said): void {
    const key = bytesOf(Subject.size, (view) => putSubject(view, 0, id));
    this.put('subjects', key, stateOf(said));
    this.put('raises', key, raiseOf(said));
    this.put('reflexes', key, reflexOf(said));
  }

  private sayOfHost(ceiling: number | null): void {
    const value = bytesOf(Host.size, (view) =>
      view.setUint32(Host.offset.ceiling, ceiling === null ? 0 : ceiling + 1, true),
    );
    native().mapUpdate(this.fd('host'), new Uint8Array(4), value, 0);
  }

  tierOf({ carried, floor, command, host, kind }: Case): Found {
    this.sayOfHost(host);
    const o = TierCase.offset;
    const context = bytesOf(TierCase.size, (view) => {
      putSubject(view, o.subject, 0);
      view.setUint32(o.floor, floor, true);
      view.setUint32(o.command, command, true);
      view.setUint32(o.loader_kind, kind, true);
      view.setUint32(o.carried_count, carried.length, true);
      for (const i of carried.keys()) putSubject(view, o.carried + i * Subject.size, i + 1);
    });
    native().progTestRun(this.fd('tier'), context);
    const u32 = (at: number) => new DataView(context.buffer).getUint32(at, true);
    const from = FROM[u32(o.from)] ?? String(u32(o.from));
    return { tier: u32(o.tier), from, observed: u32(o.observed) === 1 };
  }
}

function bytesOf(size: number, fill: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(size);
  fill(new DataView(bytes.buffer));
  return bytes;
}

function putSubject(view: DataView, at: number, id: number): void {
  view.setUint32(at + Subject.offset.kind, 1, true);
  view.setUint32(at + Subject.offset.id, 70_000 + id, true);
}

function stateOf({ state }: Said): Uint8Array | null {
  if (state === null) return null;
  return bytesOf(SubjectState.size, (view) => {
    view.setUint32(SubjectState.offset.tier, state.tier, true);
    view.setUint32(SubjectState.offset.pinned, state.pinned ? 1 : 0, true);
  });
}

/** Of an act that no enforcer has seen yet: it is not over. */
function reflexOf({ reflex }: Said): Uint8Array | null {
  if (reflex === null) return null;
  return bytesOf(Reflex.size, (view) => {
    view.setUint32(Reflex.offset.tier, reflex, true);
    view.setBigUint64(Reflex.offset.cause_boot_ns, NEVER, true);
  });
}

function raiseOf({ base, pin, glass, observe }: Said): Uint8Array {
  const o = Raise.offset;
  const until = (part: { lasts: boolean } | null) =>
    part === null ? 0n : part.lasts ? NEVER : OVER;
  return bytesOf(Raise.size, (view) => {
    view.setUint32(o.base, base === null ? 0 : base + 1, true);
    view.setUint32(o.pin, pin === null ? 0 : pin.tier + 1, true);
    view.setUint32(o.over_ceiling, glass?.overCeiling ? 1 : 0, true);
    view.setBigUint64(o.pin_until, until(pin), true);
    view.setBigUint64(o.glass_until, until(glass), true);
    view.setBigUint64(o.glass_commands, glass?.commands ?? 0n, true);
    view.setBigUint64(o.observe_until, until(observe), true);
  });
}

/** A policy with this ceiling, from a file that is root's alone. */
function compiledWith(at: Placed, ceiling: number): string {
  const file = join(at.root, 'policy.compiled');
  const text = compilePolicy(defaultPolicy(), { host: hostName('test') });
  writeFileSync(file, text.replace(/^ceiling \d$/m, `ceiling ${ceiling}`), { mode: 0o600 });
  return file;
}

test('the tier in the kernel is what the documents say', () => {
  console.log(`seed ${seed}`);
  const at = place('tier');
  const loader = (...args: string[]) =>
    execFileSync(LOADER, [args[0] as string, '--dir', at.run, ...args.slice(1)]).toString();
  loader('load', '--policy', compiledWith(at, TRUSTED), '--gid', '0');
  try {
    // Some subject of nobody's: so the programs look into the map at all.
    const about = ['--id', 'a', '--author', 'b', '--reason', 'c', '--subject', 'uid:4000000000'];
    loader('raise', '--kind', 'observe', '--for-ms', '86400000', ...about);
    const maps = new Maps(at);
    for (const ceiling of [TRUSTED, STANDARD, 1]) {
      const policy = compiledWith(at, ceiling);
      loader('apply', '--policy', policy, '--source', policy);
      fc.assert(
        fc.property(caseArb, (one) => {
          for (const [i, said] of [one.self, ...one.carried].entries()) maps.say(i, said);
          assert.deepEqual(maps.tierOf(one), expected(one, ceiling));
        }),
        { numRuns: RUNS, seed },
      );
    }
    maps.close();
  } finally {
    Warden.unload(at);
    at.remove();
  }
});
