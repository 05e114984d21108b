import { genesis, sealFrames } from '#chain';
import {
  type Event,
  encode,
  type HostName,
  type Incarnation,
  LANES,
  type Lane,
  type LaneHead,
  lane as laneNumber,
  laneOf,
  type Sequence,
  sequence,
} from '#event';
import type { Output } from '#log';
import type { StateChange, Store } from '#state';

interface Head {
  readonly sequence: Sequence;
  readonly hash: Buffer;
}

const KEY = 'head';

/**
 * The lanes this host writes: dense sequences and chain hashes, from the first event on. Heads move
 * when frames are sealed; the caller commits what `seal` returns, or ends.
 */
export class Lanes {
  private readonly heads: Head[] = [];
  private readonly host: HostName;
  private readonly incarnation: Incarnation;
  private readonly key: Uint8Array;

  private constructor(host: HostName, incarnation: Incarnation, key: Uint8Array) {
    this.host = host;
    this.incarnation = incarnation;
    this.key = key;
  }

  /** Heads as the store has them for this incarnation, else at their genesis. */
  static async open(
    store: Store,
    { host, incarnation, key }: { host: HostName; incarnation: Incarnation; key: Uint8Array },
  ): Promise<Lanes> {
    const lanes = new Lanes(host, incarnation, key);
    for (let n = 0; n < LANES; n++) {
      const lane = laneNumber(n);
      const stored = await store.get('lane', lane, KEY);
      const head = stored === null ? null : parseHead(stored, incarnation);
      const hash = () => Buffer.from(genesis({ host, incarnation, lane }));
      lanes.heads.push(head ?? { sequence: sequence(0), hash: hash() });
    }
    return lanes;
  }

  /** Frames for `events`, in their order within each lane, and the heads after them. */
  seal(events: readonly Event[]): { outputs: Output[]; state: StateChange[] } {
    const byLane = new Map<Lane, Buffer[]>();
    for (const event of events) {
      const lane = laneOf(event.principal);
      const list = byLane.get(lane);
      const bytes = encode('Event', event);
      if (list === undefined) byLane.set(lane, [bytes]);
      else list.push(bytes);
    }
    const outputs: Output[] = [];
    const state: StateChange[] = [];
    for (const [lane, encoded] of byLane) {
      for (const value of this.sealLane(lane, encoded)) {
        outputs.push({ topic: 'bpf.events', lane, key: String(lane), value });
      }
      state.push({ space: 'lane', lane, key: KEY, value: this.formatHead(lane) });
    }
    return { outputs, state };
  }

  private sealLane(lane: Lane, events: Buffer[]): Buffer[] {
    const head = this.heads[lane] as Head;
    const { frames, next } = sealFrames({
      host: this.host,
      incarnation: this.incarnation,
      lane,
      first: head.sequence,
      previous: head.hash,
      events,
      key: this.key,
    });
    this.heads[lane] = { sequence: sequence(next.sequence), hash: Buffer.from(next.hash) };
    return frames;
  }

  private formatHead(lane: Lane): Buffer {
    const head = this.heads[lane] as Head;
    const hash = head.hash.toString('hex');
    return Buffer.from(
      JSON.stringify({ incarnation: this.incarnation, sequence: head.sequence, hash }),
    );
  }
}

/** Heads of this incarnation as they are stored, by lane; those of lanes with events only. */
export async function storedHeads(store: Store, life: Incarnation): Promise<LaneHead[]> {
  const entries = await store.scan('lane', { limit: LANES });
  return entries.flatMap(({ lane, value }) => {
    const head = parseHead(value, life);
    return head === null ? [] : [{ lane, ...head }];
  });
}

function parseHead(bytes: Uint8Array, incarnation: Incarnation): Head | null {
  const head = JSON.parse(Buffer.from(bytes).toString('utf8')) as {
    incarnation: string;
    sequence: number;
    hash: string;
  };
  if (head.incarnation !== incarnation) return null;
  return { sequence: sequence(head.sequence), hash: Buffer.from(head.hash, 'hex') };
}
