import type { Checkpoint } from '#event';
import { ChainError } from './errors.ts';
import { type Claim, Numbers } from './numbers.ts';
import type { Head } from './seal.ts';
import {
  asOftenAsAffordable,
  type HostsFor,
  openSigned,
  type SignersOf,
  type StoredRecord,
} from './signed.ts';
import { chainKey, type KnownHead } from './verify.ts';

/** What is wrong with a record that should be signed by a host, or with all of a host's. */
export interface SignedFinding {
  /** null: it is of a record that is not there. */
  readonly offset: number | null;
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
  /** The same of checkpoints. */
  readonly wholeSinceMs: number;
}

/** What a host has signed in one incarnation. */
interface Signed {
  readonly heads: Map<number, Head>;
  /** Of the last checkpoint, by the host's clock. */
  madeMs: number;
  /** Where lanes stood at the first checkpoint since `keptSinceMs`; null: there was none. */
  young: ReadonlyMap<number, number> | null;
}

/** What a host has signed. */
interface OfHost {
  readonly incarnations: Map<string, Signed>;
  readonly numbers: Numbers;
}

/** The last checkpoint of a host that is there. */
export interface LastCheckpoint {
  readonly host: string;
  readonly number: number;
  readonly incarnation: string;
  readonly appendedMs: number;
}

/** A host whose numbers began again: its local log was made anew. */
export interface Restart {
  readonly host: string;
  readonly offset: number;
  readonly incarnation: string;
  /** Number of the last checkpoint of the log before. */
  readonly before: number;
}

/** Of a host, at most: one a boot, for as long as the topic keeps them. */
const MAX_INCARNATIONS = 1000;

/**
 * Reads the checkpoints of all hosts in the order of their topic, and knows in the end where each
 * chain must have come to. One that says less than an earlier one was sent again by somebody; one
 * that is missing is seen by the numbers of the others, the last one by the host's heartbeats.
 */
export class Checkpoints {
  private readonly options: Omit<CheckpointsOptions, 'hosts'> & { readonly hosts: HostsFor };
  private readonly hosts = new Map<string, OfHost>();
  readonly totals = { records: 0, good: 0, bad: 0 };

  constructor(options: CheckpointsOptions) {
    this.options = { ...options, hosts: asOftenAsAffordable(options.hosts) };
  }

  /** Takes the next record. Returns what is wrong with it, or missing before it, or null. */
  add(record: StoredRecord): SignedFinding | null {
    this.totals.records += 1;
    const { offset, key } = record;
    try {
      const gap = this.take(openSigned('Checkpoint', record, this.options), record);
      this.totals.good += 1;
      return gap === null ? null : { offset, key, code: gap.code, detail: gap.message };
    } catch (error) {
      if (!(error instanceof ChainError)) throw error;
      this.totals.bad += 1;
      return { offset, key, code: error.code, detail: error.message };
    }
  }

  /**
   * What is missing at the beginning or the end of all records: at the end by what hosts said of
   * themselves, before the checkpoints were read.
   */
  finish(claims: Iterable<Claim>): SignedFinding[] {
    const { wholeSinceMs } = this.options;
    const findings: SignedFinding[] = [];
    const note = (key: string, error: ChainError | null) => {
      if (error === null) return;
      findings.push({ offset: null, key, code: error.code, detail: error.message });
    };
    for (const [host, { numbers }] of this.hosts) {
      note(host, numbers.compareStart(host, wholeSinceMs));
    }
    for (const claim of claims) {
      // What it names may have gone in its time; the time that it was made is signed.
      if (Math.max(claim.madeMs, claim.appendedMs) <= wholeSinceMs) continue;
      const { numbers } = this.hosts.get(claim.host) ?? { numbers: new Numbers() };
      note(claim.host, numbers.compareClaim(claim));
    }
    return findings;
  }

  /** Whether a host has signed anything that is still there. */
  hasSigned(host: string): boolean {
    return this.hosts.has(host);
  }

  /** The last checkpoint of each host. */
  last(): LastCheckpoint[] {
    return [...this.hosts].flatMap(([host, { numbers }]) => {
      const last = numbers.series.at(-1)?.last;
      if (last === undefined) return [];
      const { number, incarnation, appendedMs } = last;
      return [{ host, number, incarnation, appendedMs }];
    });
  }

  /** Where the numbers of a host began again: nothing says then what the log before ended with. */
  restarts(): Restart[] {
    return [...this.hosts].flatMap(
      ([
        host,
        {
          numbers: { series },
        },
      ]) =>
        series.slice(1).map(({ first: { offset, incarnation } }, n) => {
          return { host, offset, incarnation, before: series[n]?.last.number ?? 0 };
        }),
    );
  }

  /** The last head signed of each chain, by `chainKey`. */
  heads(): Map<string, KnownHead> {
    const known = new Map<string, KnownHead>();
    for (const [host, { incarnations }] of this.hosts) {
      for (const [incarnation, { heads, young }] of incarnations) {
        for (const [lane, head] of heads) {
          const due = young === null ? null : (young.get(lane) ?? 0);
          known.set(chainKey({ host, incarnation, lane }), { ...head, due });
        }
      }
    }
    return known;
  }

  private take(checkpoint: Checkpoint, record: StoredRecord): ChainError | null {
    const { host, incarnation, number, madeMs, previousMs } = checkpoint;
    const { appendedMs, offset } = record;
    const { numbers, signed } = this.knownOf(checkpoint);
    const at = { number, incarnation, madeMs, previousMs, appendedMs, offset };
    const series = numbers.seriesOf(host, at);
    const isLater = number > (series?.last.number ?? 0);
    const heads = new Map(checkpoint.heads.map((head) => [head.lane, head]));
    const fault = compareAll(host, { signed, heads, isLater });
    if (fault?.code === 'REPLAYED') throw fault;
    if (!isLater && madeMs === signed.madeMs) {
      throw new ChainError('REPLAYED', `${host}: the same once more`);
    }
    const gap = numbers.put(host, series, at);
    this.keep(host, incarnation, { numbers, signed });
    if (fault !== null) throw fault;
    signed.madeMs = madeMs;
    for (const [lane, head] of heads) signed.heads.set(lane, head);
    if (appendedMs < this.options.keptSinceMs) return gap;
    signed.young ??= new Map([...heads].map(([lane, { sequence }]) => [lane, sequence]));
    return gap;
  }

  private knownOf({ host, incarnation }: Checkpoint) {
    const known = this.hosts.get(host);
    const signed = known?.incarnations.get(incarnation);
    if (signed === undefined && (known?.incarnations.size ?? 0) >= MAX_INCARNATIONS) {
      throw new ChainError('BAD_RECORD', `${host}: more than ${MAX_INCARNATIONS} incarnations`);
    }
    const none: Signed = { heads: new Map(), madeMs: -1, young: null };
    return { numbers: known?.numbers ?? new Numbers(), signed: signed ?? none };
  }

  private keep(
    host: string,
    incarnation: string,
    { numbers, signed }: { readonly numbers: Numbers; readonly signed: Signed },
  ): void {
    const { incarnations } = this.hosts.get(host) ?? { incarnations: new Map() };
    this.hosts.set(host, { incarnations: incarnations.set(incarnation, signed), numbers });
  }
}

interface Compared {
  readonly signed: Signed;
  readonly heads: ReadonlyMap<number, Head>;
  /** Whether its number is above all before. */
  readonly isLater: boolean;
}

function compareAll(host: string, { signed, heads, isLater }: Compared): ChainError | null {
  for (const [lane, known] of signed.heads) {
    const fault = compare(`${host}: lane ${lane}`, known, heads.get(lane), isLater);
    if (fault !== null) return fault;
  }
  return null;
}

/** Within an incarnation a lane only grows: REPLAYED, or FORK where the number is a later one. */
function compare(
  what: string,
  known: Head,
  now: Head | undefined,
  isLater: boolean,
): ChainError | null {
  const at = now?.sequence ?? 0;
  if (at < known.sequence) {
    const behind = `${what} at ${at}, behind ${known.sequence}`;
    if (isLater) return new ChainError('FORK', `${behind} that it has signed before`);
    return new ChainError('REPLAYED', `${behind}: an old one, sent again`, { sequence: at });
  }
  if (at > known.sequence || Buffer.compare(now?.hash ?? known.hash, known.hash) === 0) return null;
  const last = known.sequence - 1;
  const text = `${what}: another event ${last} than it has signed before`;
  return new ChainError('FORK', text, { sequence: last });
}
