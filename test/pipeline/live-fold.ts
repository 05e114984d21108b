import fc from 'fast-check';
import {
  type Event,
  encode,
  hostName,
  incarnation,
  laneOf,
  type Override,
  type PrincipalKey,
  principalKey,
} from '#event';
import { type Fault, seal } from '#fold';
import type { Output } from '#log';
import { defaultPolicy } from '#policy';
import type { Store } from '#state';
import { TIER_NAMES } from '#trust';
import { Lanes } from '../../services/collector/lanes.ts';
import { Enricher } from '../../services/enricher/index.ts';
import { said } from '../unit/trust/support.ts';

export const HOST = hostName('web-1');
export const HOST_KEY = Buffer.alloc(32, 7);
export const KEYS = {
  hostKeyOf: (name: string) => (name === HOST ? HOST_KEY : null),
  control: Buffer.alloc(32, 9),
};
export const START_MS = Date.UTC(2026, 0, 5);
export interface Made {
  readonly who: number;
  readonly command: string;
  readonly errno: string | null;
  readonly place: string;
  readonly claimed: boolean;
  readonly count: number;
  readonly skewMs: number;
  readonly waitMs: number;
  /** What an operator or another system says of the same principal, besides. */
  readonly word: string | null;
}

/** An act that raises nothing. */
export const QUIET: Made = {
  who: 0,
  command: 'MAP_CREATE',
  errno: null,
  place: '',
  claimed: false,
  count: 1,
  skewMs: 0,
  waitMs: 0,
  word: null,
};

export const made: fc.Arbitrary<Made> = fc.record({
  who: fc.nat(5),
  command: fc.constantFrom('PROG_LOAD', 'MAP_CREATE', 'MAP_GET_NEXT_ID', 'OBJ_GET_INFO_BY_FD'),
  errno: fc.constantFrom(null, null, 'EPERM', 'EACCES', 'EINVAL'),
  place: fc.constantFrom('', '', '', 'memfd', 'deleted'),
  claimed: fc.boolean(),
  count: fc.integer({ min: 1, max: 300 }),
  skewMs: fc.integer({ min: -5000, max: 5000 }),
  waitMs: fc.oneof(fc.nat(1000), fc.nat(40 * 3_600_000)),
  word: fc.option(fc.constantFrom('pin', 'pardon', 'adjust', 'observe', 'label', 'risk'), {
    freq: 3,
  }),
});

export const PRINCIPALS: readonly PrincipalKey[] = [
  principalKey('uid:0@web-1'),
  principalKey('uid:33@web-1'),
  principalKey('uid:10001@corp'),
  principalKey('cilium@web-1'),
  principalKey('uid:10002@corp'),
  principalKey('host:web-1'),
];

export function eventOf(item: Made, nowMs: number): Event {
  return {
    timeUs: (nowMs + item.skewMs) * 1000,
    principal: PRINCIPALS[item.who] as PrincipalKey,
    subject: null,
    loader: {
      name: null,
      path: '/usr/bin/x',
      pathTruncated: false,
      sha256: null,
      device: 1,
      inode: '2',
      ownerUid: 0,
      places: item.place === '' ? [] : [item.place],
    },
    process: {
      pid: 1,
      tid: 1,
      ppid: 1,
      uid: 0,
      euid: 0,
      auid: null,
      auidStatus: item.claimed ? 'claimed' : 'unset',
      session: null,
      comm: 'x',
      cgroup: '/',
      exeLabel: 'call',
      userns: 1,
      initUserns: true,
      capabilities: [],
    },
    act: {
      command: item.command,
      via: 'bpf',
      result: item.errno === null ? 0 : -1,
      errno: item.errno,
      count: item.count,
    },
    program: null,
    map: null,
    link: null,
    path: null,
    verdict: { decision: 'allow', rule: null, enforced: false, mode: 'audit', by: 'subject' },
    details: [],
  };
}

/** An operator's word, or another system's, sealed as they are. */
export function outputOf({ who, word, count }: Made, nowMs: number): Output {
  const principal = PRINCIPALS[who] as PrincipalKey;
  const to = { lane: laneOf(principal), key: principal };
  const id = nowMs.toString(16).padStart(16, '0');
  const common = { id, principal, reason: 'a test', timeMs: nowMs };
  if (word === 'risk') {
    const external = { ...common, source: 'idp', permille: 1 + count };
    const value = encode('External', seal('External', external, KEYS.control));
    return { topic: 'bpf.external', value, ...to };
  }
  const override = {
    ...said({ ...common, verb: word as 'pin' }),
    tier: word === 'pin' ? (TIER_NAMES[count % 5] as string) : null,
    permille: word === 'adjust' ? count * 6 : null,
    now: count % 2 === 0,
    untilMs: nowMs + count * 60_000,
    label: 'tp',
  };
  const value = encode('Override', seal('Override', override satisfies Override, KEYS.control));
  return { topic: 'bpf.overrides', value, ...to };
}

/** A store with a clock that the test moves. */
export class Bench {
  nowMs = START_MS;
  readonly store: Store;
  private lanes: Lanes | null = null;
  private enricher: Enricher | null = null;

  readonly faults: Fault[] = [];

  private readonly control: Buffer;

  private constructor(store: Store, control: Buffer) {
    this.store = store;
    this.control = control;
  }

  static async open(
    open: (clock: () => number) => Promise<Store>,
    control: Buffer = KEYS.control,
  ): Promise<Bench> {
    let bench: Bench | null = null;
    bench = new Bench(await open(() => bench?.nowMs ?? START_MS), control);
    return bench;
  }

  async append(events: readonly Event[]): Promise<void> {
    const life = incarnation('00000000000000aa');
    this.lanes ??= await Lanes.open(this.store, { host: HOST, incarnation: life, key: HOST_KEY });
    const { outputs, state } = this.lanes.seal(events);
    await this.store.commit({ outputs, state, position: [] });
  }

  async say(output: Output): Promise<void> {
    await this.store.commit({ outputs: [output], state: [], position: [] });
  }

  /** As after kill -9: everything but the store is gone. */
  forget(): void {
    this.lanes = null;
    this.enricher = null;
  }

  async fold(policy = defaultPolicy()): Promise<void> {
    this.enricher ??= await Enricher.open({
      store: this.store,
      keys: { ...KEYS, control: this.control },
      policy,
      onFault: (fault) => this.faults.push(fault),
      onOverride: () => undefined,
      now: () => this.nowMs,
    });
    while ((await this.enricher.step()).more);
  }
}
