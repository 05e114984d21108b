import { ChainError } from './errors.ts';

/** A checkpoint as far as its number goes. */
export interface Numbered {
  readonly number: number;
  readonly incarnation: string;
  readonly madeMs: number;
  /** When the one before it was made. */
  readonly previousMs: number;
  readonly appendedMs: number;
  readonly offset: number;
}

/** What a host says of its checkpoints: the last that the brokers acknowledged was this one. */
export interface Claim {
  readonly host: string;
  readonly incarnation: string;
  readonly number: number;
  readonly madeMs: number;
  readonly appendedMs: number;
}

/** The checkpoints of one local log, as far as they are there. */
export interface Series {
  readonly first: Numbered;
  last: Numbered;
  readonly incarnations: Set<string>;
}

/**
 * The numbers of one host's checkpoints, in the order of their topic. They go 1, 2, 3 for as long
 * as the host's local log lives, across its incarnations, so what is deleted leaves a gap. A host
 * with a new local log begins at 1 again, under an incarnation that was not seen before.
 */
export class Numbers {
  readonly series: Series[] = [];

  /** Where a checkpoint belongs; undefined: to a new local log. Throws `ChainError` REPLAYED. */
  seriesOf(host: string, at: Numbered): Series | undefined {
    const series = this.series.findLast(({ incarnations }) => incarnations.has(at.incarnation));
    const found = series ?? this.continuedBy(at);
    if (found === undefined || at.number >= found.last.number) return found;
    // A new log whose first checkpoints are gone is newer; an old one sent again can't be.
    if (series === undefined && at.madeMs > found.last.madeMs) return undefined;
    const what = `number ${at.number}, behind ${found.last.number}: an old one, sent again`;
    throw new ChainError('REPLAYED', `${host}: ${what}`);
  }

  private continuedBy({ number }: Numbered): Series | undefined {
    if (number === 1) return undefined;
    const next = this.series.findLast(({ last }) => {
      return last.number + 1 === number || last.number === number;
    });
    return next ?? this.series.at(-1);
  }

  /** Takes a checkpoint into its series. Returns what is missing before it, or null. */
  put(host: string, series: Series | undefined, at: Numbered): ChainError | null {
    const isFirst = this.series.length === 0;
    const before = series?.last.number ?? 0;
    if (series === undefined) {
      const incarnations = new Set([at.incarnation]);
      this.series.push({ first: at, last: at, incarnations });
    } else {
      series.last = at;
      series.incarnations.add(at.incarnation);
    }
    // Of the first one that is there, age decides: what was before it may have gone in its time.
    if (isFirst || at.number <= before + 1) return null;
    const what = `checkpoints ${before + 1} to ${at.number - 1} are missing`;
    return new ChainError('SEQUENCE_GAP', `${host}: ${what}`);
  }

  /** What a host's own word says is missing at the end, or null. */
  compareClaim({ host, incarnation, number }: Claim): ChainError | null {
    if (number === 0) return null;
    const known = this.series.findLast(({ incarnations }) => incarnations.has(incarnation));
    // A host that has just begun a new incarnation names the last one of that before.
    const isThere =
      known === undefined
        ? this.series.some(({ last }) => last.number === number || last.number === number + 1)
        : known.last.number >= number;
    if (isThere) return null;
    const last = (known ?? this.series.at(-1))?.last.number;
    const found = last === undefined ? 'none is there' : `the last one there is ${last}`;
    return new ChainError('TRUNCATED', `${host}: it has sent checkpoint ${number}, ${found}`);
  }

  /** What is missing at the beginning though it is too young to be, or null. */
  compareStart(host: string, wholeSinceMs: number): ChainError | null {
    const first = this.series[0]?.first;
    if (first === undefined || first.number === 1) return null;
    if (first.previousMs <= wholeSinceMs) return null;
    const what = `begins with checkpoint ${first.number}, those before are gone before their time`;
    return new ChainError('TRUNCATED', `${host}: ${what}`);
  }
}
