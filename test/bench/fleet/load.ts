import { deriveHostKey, genesis, sealFrames } from '#chain';
import {
  type Event,
  encode,
  type HostName,
  hostName,
  incarnation,
  laneOf,
  type PrincipalKey,
  principalKey,
} from '#event';
import { IdempotentWriter, type KafkaClient, KafkaLog, type Outgoing } from '#log/kafka';
import { eventOf, QUIET } from '../../pipeline/live-fold.ts';

export interface LoadOptions {
  readonly client: KafkaClient;
  readonly fleetKey: Uint8Array;
  readonly hosts: number;
  /** Their names begin with it. */
  readonly name?: string;
}

interface Place {
  sequence: number;
  hash: Uint8Array;
}

const LIFE = incarnation('00000000000000aa');
export const FIRST_UID = 1000;
const FRAMES = 5000;
const DIGEST = '9f2c'.repeat(16);
const ODD = { command: 'PROG_LOAD', place: 'memfd' };
const OVERRULING: Event['program'] = {
  id: null,
  type: 'LSM',
  name: 'example',
  license: 'GPL',
  signature: 'none',
  instructions: 100,
  sha256: DIGEST,
  tag: null,
  attach: null,
  helpers: ['probe_write_user'],
  kfuncs: [],
  maps: [],
  owner: null,
  claimed: false,
};
/** Of a thousand acts so many raise a signal. */
const SIGNALS_PERMILLE = 10;

/**
 * An act of some 250 bytes. `odd` raises a signal; `hostile` alone lowers whoever does it: a
 * program that could overrule the guard, and writes into the memory of others.
 */
export function actOf(principal: PrincipalKey, kind: 'plain' | 'odd' | 'hostile'): Event {
  const event = eventOf({ ...QUIET, ...(kind === 'odd' && ODD) }, Date.now());
  const { loader, process, act, verdict } = event;
  if (loader === null || process === null) return { ...event, principal };
  const known = {
    ...event,
    principal,
    loader: { ...loader, path: '/usr/lib/example/bin/agent', sha256: DIGEST },
    process: { ...process, comm: 'agent', cgroup: '/system.slice/example-agent.service' },
  };
  if (kind !== 'hostile') return known;
  return {
    ...known,
    act: { ...act, command: 'PROG_LOAD' },
    program: OVERRULING,
    verdict: { ...verdict, decision: 'would_deny', rule: 'loaders.unknown.program_types' },
  };
}

/** Frames as many hosts seal them, put into `bpf.events` as fast as that goes. */
export class Load {
  private readonly options: LoadOptions;
  private readonly writer: IdempotentWriter;
  private readonly chains = new Map<string, Place>();
  private readonly keys = new Map<HostName, Uint8Array>();
  private partitions = 0;
  private state = 1;
  /** Sent so far. */
  events = 0;
  bytes = 0;

  private constructor(options: LoadOptions) {
    this.options = options;
    this.writer = new IdempotentWriter(options.client);
  }

  static async open(options: LoadOptions): Promise<Load> {
    const load = new Load(options);
    const log = new KafkaLog(options.client);
    load.partitions = await log.partitions('bpf.events');
    await log.close();
    return load;
  }

  /** One event of each principal from one number up to another. */
  async introduce(from: number, to: number): Promise<void> {
    await this.send(to - from, 1, (n) => from + n);
  }

  /** Events of principals below `count`, `burst` of the same one in a frame. */
  async among(count: number, events: number, burst: number): Promise<void> {
    await this.send(Math.ceil(events / burst), burst, () => this.random(count));
  }

  async close(): Promise<void> {
    await this.writer.close();
  }

  /** The principal of this number: one of some host, the hosts in turn. */
  principal(n: number): { readonly host: HostName; readonly principal: PrincipalKey } {
    const { hosts, name = 'host' } = this.options;
    const host = hostName(`${name}-${n % hosts}`);
    const uid = FIRST_UID + Math.floor(n / hosts);
    return { host, principal: principalKey(`uid:${uid}@${host}`) };
  }

  private async send(frames: number, burst: number, who: (n: number) => number): Promise<void> {
    for (let from = 0; from < frames; from += FRAMES) {
      const count = Math.min(FRAMES, frames - from);
      await this.writer.send(
        Array.from({ length: count }, (_, n) => this.frame(who(from + n), burst)),
      );
    }
  }

  private frame(n: number, burst: number): Outgoing {
    const { host, principal } = this.principal(n);
    const lane = laneOf(principal);
    const id = `${lane}/${host}`;
    const chain = { host, incarnation: LIFE, lane };
    const at = this.chains.get(id) ?? { sequence: 0, hash: genesis(chain) };
    const events = Array.from({ length: burst }, () =>
      encode('Event', actOf(principal, this.random(1000) < SIGNALS_PERMILLE ? 'odd' : 'plain')),
    );
    const place = { first: at.sequence, previous: at.hash, events, key: this.keyOf(host) };
    const { frames, next } = sealFrames({ ...chain, ...place });
    this.chains.set(id, next);
    this.events += burst;
    const [value = new Uint8Array()] = frames;
    for (const { length } of events) this.bytes += length;
    const partition = lane % this.partitions;
    return { topic: 'bpf.events', partition, lane, key: `${lane}`, value };
  }

  private keyOf(host: HostName): Uint8Array {
    const known = this.keys.get(host);
    if (known !== undefined) return known;
    const key = deriveHostKey(this.options.fleetKey, host);
    this.keys.set(host, key);
    return key;
  }

  /** A number below `limit`: the same ones in each run. */
  private random(limit: number): number {
    this.state = (Math.imul(this.state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * limit);
  }
}
