import type { Heartbeat } from '#event';
import type { SignedFinding } from './checkpoint.ts';
import { ChainError } from './errors.ts';
import { asOftenAsAffordable, openSigned, type SignersOf, type StoredRecord } from './signed.ts';

/** The last sign of life of a host; `appendedMs` is the brokers' time. */
export interface LastHeartbeat {
  readonly heartbeat: Heartbeat;
  readonly appendedMs: number;
}

/**
 * How far the clocks of host and brokers may be apart. A heartbeat that somebody kept and sent
 * again later would make a dead host look alive.
 */
export const CLOCKS_APART_MS = 120_000;

/** Reads the heartbeats of all hosts in the order of their topic: the last one of each counts. */
export class Heartbeats {
  private readonly options: {
    readonly signersOf: SignersOf;
    readonly hosts: () => Iterable<string>;
  };
  /** By host. */
  readonly last = new Map<string, LastHeartbeat>();

  constructor(options: Heartbeats['options']) {
    this.options = { ...options, hosts: asOftenAsAffordable(options.hosts) };
  }

  /** Takes the next record. Returns what is wrong with it, in which case it does not count. */
  add(record: StoredRecord): SignedFinding | null {
    const { offset, key, appendedMs } = record;
    try {
      const heartbeat = openSigned('Heartbeat', record, this.options);
      this.checkFresh(heartbeat, appendedMs);
      this.last.set(heartbeat.host, { heartbeat, appendedMs });
      return null;
    } catch (error) {
      if (!(error instanceof ChainError)) throw error;
      return { offset, key, code: error.code, detail: error.message };
    }
  }

  private checkFresh({ host, madeMs }: Heartbeat, appendedMs: number): void {
    const apartMs = appendedMs - madeMs;
    if (Math.abs(apartMs) > CLOCKS_APART_MS) {
      const seconds = Math.round(Math.abs(apartMs) / 1000);
      const when = apartMs > 0 ? 'before' : 'after';
      const what = `made ${seconds} s ${when} the brokers took it: sent again, or a wrong clock`;
      throw new ChainError('REPLAYED', `${host}: ${what}`);
    }
    const beforeMs = this.last.get(host)?.heartbeat.madeMs ?? -1;
    if (madeMs > beforeMs) return;
    throw new ChainError('REPLAYED', `${host}: no newer than the one before: sent again`);
  }
}
