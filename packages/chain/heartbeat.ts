import type { Heartbeat } from '#event';
import type { SignedFinding } from './checkpoint.ts';
import { ChainError } from './errors.ts';
import type { Claim } from './numbers.ts';
import {
  asOftenAsAffordable,
  type HostsFor,
  openSignedBy,
  type SignersOf,
  type StoredRecord,
} from './signed.ts';

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

/**
 * Reads the heartbeats of all hosts in the order of their topic: the last one of each counts. A key
 * that a newer one has replaced counts no more once a heartbeat under the newer one was seen.
 */
export class Heartbeats {
  private readonly options: { readonly signersOf: SignersOf; readonly hosts: HostsFor };
  /** By host. */
  readonly last = new Map<string, LastHeartbeat>();
  /** By host, the newest of its keys that has signed: 0 is its newest. */
  private readonly signers = new Map<string, number>();
  /** By host and incarnation. */
  private readonly named = new Map<string, Claim>();

  constructor(options: {
    readonly signersOf: SignersOf;
    readonly hosts: () => Iterable<string>;
  }) {
    this.options = { ...options, hosts: asOftenAsAffordable(options.hosts) };
  }

  /** Takes the next record. Returns what is wrong with it, in which case it does not count. */
  add(record: StoredRecord): SignedFinding | null {
    const { offset, key, appendedMs } = record;
    try {
      const { record: heartbeat, signer } = openSignedBy('Heartbeat', record, this.options);
      this.checkSigner(heartbeat.host, signer);
      this.name(heartbeat, appendedMs);
      this.checkFresh(heartbeat, appendedMs);
      this.last.set(heartbeat.host, { heartbeat, appendedMs });
      return null;
    } catch (error) {
      if (!(error instanceof ChainError)) throw error;
      return { offset, key, code: error.code, detail: error.message };
    }
  }

  /**
   * The highest number of a checkpoint that each host has named, for each of its incarnations. A
   * heartbeat that is sent again counts here: what it says was so.
   */
  claims(): Claim[] {
    return [...this.named.values()];
  }

  private checkSigner(host: string, signer: number): void {
    const newest = this.signers.get(host) ?? signer;
    if (signer > newest) {
      throw new ChainError('UNKNOWN_SIGNER', `${host}: by a key that a newer one has replaced`);
    }
    this.signers.set(host, signer);
  }

  private name({ host, incarnation, checkpoint, madeMs }: Heartbeat, appendedMs: number): void {
    const key = `${host}/${incarnation}`;
    if ((this.named.get(key)?.number ?? -1) > checkpoint) return;
    this.named.set(key, { host, incarnation, number: checkpoint, madeMs, appendedMs });
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
