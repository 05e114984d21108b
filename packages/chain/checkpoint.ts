import type { Checkpoint } from '#event';
import { ChainError } from './errors.ts';
import type { Head } from './seal.ts';
import { asOftenAsAffordable, openSigned, type SignersOf, type StoredRecord } from './signed.ts';
import { chainKey, type KnownHead } from './verify.ts';

/** What is wrong with a record that should be signed by a host. */
export interface SignedFinding {
  readonly offset: number;
  readonly code: ChainError['code'];
  /** What the record is stored under: anybody may have written that. */
  readonly key: string;
  readonly detail: string;
}

export interface CheckpointsOptions {
  readonly signersOf: SignersOf;
  readonly hosts: () => Iterable<string>;
  /** What the log of events took in since then must be there, ms since 1970. */
  readonly keptSinceMs: number;
}

/** What a host has signed in one incarnation. */
interface Signed {
  readonly heads: Map<number, Head>;
  /** Of the last checkpoint, by the host's clock. */
  madeMs: number;
  /** Where lanes stood at the first checkpoint since `keptSinceMs`; null: there was none. */
  young: ReadonlyMap<number, number> | null;
}

/** Of a host, at most: one a boot, for as long as the topic keeps them. */
const MAX_INCARNATIONS = 1000;

/**
 * Reads the checkpoints of all hosts in the order of their topic, and knows in the end where each
 * chain must have come to. One that says less than an earlier one was sent again by somebody.
 */
export class Checkpoints {
  private readonly options: CheckpointsOptions;
  /** By host, then incarnation. */
  private readonly hosts = new Map<string, Map<string, Signed>>();
  readonly totals = { records: 0, good: 0, bad: 0 };

  constructor(options: CheckpointsOptions) {
    this.options = { ...options, hosts: asOftenAsAffordable(options.hosts) };
  }

  /** Takes the next record. Returns what is wrong with it, or null. */
  add(record: StoredRecord): SignedFinding | null {
    this.totals.records += 1;
    try {
      this.take(openSigned('Checkpoint', record, this.options), record.appendedMs);
      this.totals.good += 1;
      return null;
    } catch (error) {
      if (!(error instanceof ChainError)) throw error;
      this.totals.bad += 1;
      const { offset, key } = record;
      return { offset, key, code: error.code, detail: error.message };
    }
  }

  /** Whether a host has signed anything that is still there. */
  hasSigned(host: string): boolean {
    return this.hosts.has(host);
  }

  /** The last head signed of each chain, by `chainKey`. */
  heads(): Map<string, KnownHead> {
    const known = new Map<string, KnownHead>();
    for (const [host, incarnations] of this.hosts) {
      for (const [incarnation, { heads, young }] of incarnations) {
        for (const [lane, head] of heads) {
          const due = young === null ? null : (young.get(lane) ?? 0);
          known.set(chainKey({ host, incarnation, lane }), { ...head, due });
        }
      }
    }
    return known;
  }

  private take(checkpoint: Checkpoint, appendedMs: number): void {
    const { host, madeMs } = checkpoint;
    const signed = this.signedOf(checkpoint);
    const heads = new Map(checkpoint.heads.map((head) => [head.lane, head]));
    for (const [lane, known] of signed.heads) compare(host, lane, known, heads.get(lane));
    if (madeMs === signed.madeMs) throw new ChainError('REPLAYED', `${host}: the same once more`);
    signed.madeMs = madeMs;
    for (const [lane, head] of heads) signed.heads.set(lane, head);
    if (appendedMs < this.options.keptSinceMs) return;
    signed.young ??= new Map([...heads].map(([lane, { sequence }]) => [lane, sequence]));
  }

  private signedOf({ host, incarnation }: Checkpoint): Signed {
    const incarnations = this.hosts.get(host) ?? new Map<string, Signed>();
    const known = incarnations.get(incarnation);
    if (known !== undefined) return known;
    if (incarnations.size >= MAX_INCARNATIONS) {
      throw new ChainError('BAD_RECORD', `${host}: more than ${MAX_INCARNATIONS} incarnations`);
    }
    const signed: Signed = { heads: new Map(), madeMs: -1, young: null };
    incarnations.set(incarnation, signed);
    this.hosts.set(host, incarnations);
    return signed;
  }
}

/** Within an incarnation a lane only grows. Throws `ChainError` REPLAYED, FORK. */
function compare(host: string, lane: number, known: Head, now: Head | undefined): void {
  const at = now?.sequence ?? 0;
  if (at < known.sequence) {
    const what = `lane ${lane} at ${at}, behind ${known.sequence}: an old one, sent again`;
    throw new ChainError('REPLAYED', `${host}: ${what}`, { sequence: at });
  }
  if (at > known.sequence || Buffer.compare(now?.hash ?? known.hash, known.hash) === 0) return;
  const last = known.sequence - 1;
  const what = `${host}: lane ${lane}: another event ${last} than it has signed before`;
  throw new ChainError('FORK', what, { sequence: last });
}
