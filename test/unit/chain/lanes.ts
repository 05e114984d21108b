import { createHash } from 'node:crypto';
import { chainKey, genesis, type Head, type StoredFrame, sealFrames } from '#chain';
import { hostName, incarnation, lane } from '#event';
import type { Random } from '../../contract/random.ts';

/** A frame of a test's log, with what the test knows of it without reading it. */
export interface Sealed extends StoredFrame {
  readonly host: string;
  readonly chain: string;
  readonly first: number;
  readonly count: number;
}

/** The writers of a log: hosts with keys, and where their lanes stand. */
export class Writers {
  readonly keys = new Map<string, Buffer>();
  readonly heads = new Map<string, Head>();
  readonly keyOf = (host: string): Uint8Array | null => this.keys.get(host) ?? null;

  /** The next frames of a lane. `fork` seals as if the writer stood at another head. */
  seal(options: {
    host: string;
    lane: number;
    events: Uint8Array[];
    offset?: number;
    fork?: Head;
    key?: Uint8Array;
  }): Sealed[] {
    const host = hostName(options.host);
    const stream = { host, incarnation: incarnation('00112233445566aa'), lane: lane(options.lane) };
    const chain = chainKey(stream);
    if (!this.keys.has(host)) this.keys.set(host, createHash('sha256').update(host).digest());
    const { sequence: first, hash: previous } = options.fork ??
      this.heads.get(chain) ?? { sequence: 0, hash: genesis(stream) };
    const key = options.key ?? (this.keys.get(host) as Buffer);
    const { events } = options;
    const { frames, next } = sealFrames({ ...stream, first, previous, events, key });
    if (options.fork === undefined) this.heads.set(chain, next);
    const offset = options.offset ?? 0;
    const [value = Buffer.alloc(0)] = frames;
    if (frames.length !== 1) throw new RangeError('a test log has one frame a call');
    return [{ offset, lane: options.lane, value, host, chain, first, count: events.length }];
  }
}

/** A log of `frames` frames over 2 hosts with 3 lanes each, offsets from 0. */
export function buildLog(random: Random, frames: number): { log: Sealed[]; writers: Writers } {
  const writers = new Writers();
  const log: Sealed[] = [];
  for (let offset = 0; offset < frames; offset++) {
    const events = Array.from({ length: 1 + random.below(4) }, () =>
      random.bytes(1 + random.below(40)),
    );
    const host = random.pick(['web-1', 'web-2']);
    log.push(...writers.seal({ host, lane: random.pick([0, 1, 63]), events, offset }));
  }
  return { log, writers };
}
