import { EventError, schemaOf } from '#event';
import { ChainError, type ChainErrorCode } from './errors.ts';
import { follow } from './follow.ts';
import { HashMemory } from './memory.ts';
import { type KeyOf, type OpenedFrame, openFrame } from './open.ts';
import type { Head } from './seal.ts';

/** A record of a log as the verifier takes it: `lane` as it is stored beside the frame. */
export interface StoredFrame {
  readonly offset: number;
  readonly lane: number;
  readonly value: Uint8Array;
}

/** One thing found. Host, incarnation and sequence only where they are authentic. */
export interface Finding {
  readonly offset: number;
  readonly code: ChainErrorCode;
  readonly host: string | null;
  readonly incarnation: string | null;
  readonly lane: number;
  readonly sequence: number | null;
  readonly detail: string;
}

export interface Report {
  readonly frames: number;
  readonly events: number;
  /** Control records: not part of a chain; they carry a MAC of their own. */
  readonly controls: number;
  readonly chains: number;
  /** Repeated events, found equal. They change nothing. */
  readonly duplicates: number;
  /** Repeated events too old for the verifier's memory: only their sequence was compared. */
  readonly uncompared: number;
  /** Chains that did not begin at their genesis or at a head given: `unanchored: 'accept'`. */
  readonly unanchored: number;
  /** Findings but for duplicates. */
  readonly bad: number;
  /** The first of them. */
  readonly first: Finding | null;
}

/** A head known from elsewhere. */
export interface KnownHead extends Head {
  /**
   * The first sequence that must still be there in a log that was trimmed. null: whatever is left;
   * absent: as `unanchored` says.
   */
  readonly due?: number | null;
}

export interface VerifierOptions {
  readonly keyOf: KeyOf;
  /** Opens a frame, where its key depends on more than its host; by default with `keyOf`. */
  readonly open?: (record: StoredFrame) => OpenedFrame;
  /** Throws `ChainError` or `EventError` for one that is forged; without it none is looked into. */
  readonly checkControl?: (record: StoredFrame) => void;
  /**
   * Where chains stood before the first record, by `chainKey`: for a log that was trimmed behind a
   * snapshot.
   */
  readonly heads?: ReadonlyMap<string, Head>;
  /** What a chain is that begins in the middle and has no head given; SEQUENCE_GAP by default. */
  readonly unanchored?: 'accept' | 'refuse';
  /** Bytes of hashes remembered, 16 an event; 256 MiB by default. */
  readonly memoryBytes?: number;
}

/** `web-1/7d3f9c0011223344/17` */
export function chainKey(chain: { host: string; incarnation: string; lane: number }): string {
  return `${chain.host}/${chain.incarnation}/${chain.lane}`;
}

interface Gap {
  readonly from: number;
  readonly to: number;
}

interface ChainState {
  /** The sequence that it began with here. */
  readonly from: number;
  head: Head;
  readonly gaps: Gap[];
}

const DEFAULT_MEMORY = 256 * 1024 * 1024;
/** Gaps kept of a chain; a late frame of a forgotten one counts as uncompared. */
const MAX_GAPS = 1000;

/**
 * Recomputes every link of every chain of a log, record by record, and names what is bad. After a
 * finding it goes on behind it, so that one bad frame hides no other.
 */
export class Verifier {
  private readonly options: VerifierOptions;
  private readonly memory: HashMemory;
  private readonly chains = new Map<string, ChainState>();
  private readonly totals = {
    frames: 0,
    events: 0,
    controls: 0,
    duplicates: 0,
    uncompared: 0,
    unanchored: 0,
    bad: 0,
  };
  private firstBad: Finding | null = null;

  constructor(options: VerifierOptions) {
    this.options = options;
    this.memory = new HashMemory(options.memoryBytes ?? DEFAULT_MEMORY);
    for (const [key, head] of options.heads ?? []) {
      this.chains.set(key, { from: head.sequence, head, gaps: [] });
    }
  }

  /** Takes the next record. Returns what is wrong with it, a DUPLICATE, or null. Never throws. */
  add(record: StoredFrame): Finding | null {
    this.totals.frames += 1;
    try {
      if (schemaOf(record.value) === 'Control') {
        this.totals.frames -= 1;
        this.totals.controls += 1;
        this.options.checkControl?.(record);
        return null;
      }
      const { open, keyOf } = this.options;
      const frame = open?.(record) ?? openFrame(record.value, keyOf);
      if (frame.lane !== record.lane) {
        throw new ChainError('WRONG_LANE', `frame of lane ${frame.lane}`);
      }
      return this.link(record, frame);
    } catch (error) {
      if (error instanceof ChainError) return this.note(record, null, error);
      if (!(error instanceof EventError)) throw error;
      return this.note(record, null, new ChainError('BAD_FRAME', error.message));
    }
  }

  private link(record: StoredFrame, frame: OpenedFrame): Finding | null {
    const key = chainKey(frame);
    const state = this.chains.get(key);
    const head = state?.head ?? this.startOf(frame);
    const { accepted, duplicates, faults, head: next } = follow(head, frame);
    const repeated = this.compareRepeated(key, frame, duplicates);
    const gaps = state?.gaps ?? [];
    const from = head?.sequence ?? 0;
    if (frame.first > from && gaps.length < MAX_GAPS) gaps.push({ from, to: frame.first });
    for (const { sequence, hash } of accepted) this.memory.remember(key, sequence, hash);
    this.totals.events += accepted.length;
    if (next !== null) this.chains.set(key, { from: state?.from ?? from, head: next, gaps });
    const error = repeated ?? faults[0];
    if (error !== undefined) return this.note(record, frame, error);
    if (accepted.length > 0) return null;
    const detail = `${duplicates} events seen before`;
    return findingOf(record, frame, new ChainError('DUPLICATE', detail, { sequence: frame.first }));
  }

  /** Where a chain stands that is met for the first time. */
  private startOf(frame: OpenedFrame): Head | null {
    if (this.options.unanchored !== 'accept' || frame.first === 0) return null;
    this.totals.unanchored += 1;
    return { sequence: frame.first, hash: frame.previous };
  }

  private compareRepeated(
    key: string,
    frame: OpenedFrame,
    repeated: number,
  ): ChainError | undefined {
    for (const { sequence, hash } of frame.events.slice(0, repeated)) {
      const comparison = this.memory.compare(key, sequence, hash);
      if (comparison === 'other') {
        return new ChainError('FORK', `another event ${sequence}`, { sequence });
      }
      if (comparison === 'same') this.totals.duplicates += 1;
      else if (this.isMissing(key, sequence)) {
        return new ChainError('OUT_OF_ORDER', `event ${sequence} comes too late`, { sequence });
      } else this.totals.uncompared += 1;
    }
    return undefined;
  }

  private isMissing(key: string, sequence: number): boolean {
    const gaps = this.chains.get(key)?.gaps ?? [];
    return gaps.some(({ from, to }) => from <= sequence && sequence < to);
  }

  /**
   * Compares where chains ended with heads known from elsewhere (a signed checkpoint, the writer's
   * own state): what a shortened log would hide. `offset` is the log's end. Returns what is
   * missing.
   */
  finish(heads: ReadonlyMap<string, KnownHead>, offset: number): Finding[] {
    const findings: Finding[] = [];
    for (const [key, known] of heads) {
      const error = this.compareHead(key, known);
      if (error === null) continue;
      const [host = '', incarnation = '', lane = ''] = key.split('/');
      const chain = { host, incarnation };
      findings.push(this.note({ offset, lane: Number(lane) }, chain, error));
    }
    return findings;
  }

  private compareHead(key: string, known: KnownHead): ChainError | null {
    const chain = this.chains.get(key);
    const isTrimmed = this.options.unanchored === 'accept';
    // In a trimmed log, a chain that has been silent since has no frame left.
    const due = isTrimmed ? (known.due ?? known.sequence) : 0;
    if (chain === undefined && due >= known.sequence) return null;
    const head = chain?.head;
    const found = head?.sequence ?? due;
    if (found < known.sequence) {
      const message = `ends before ${found}, ${known.sequence - found} events short`;
      return new ChainError('TRUNCATED', message, { sequence: found });
    }
    if (chain !== undefined && isTrimmed && chain.from > due && due < known.sequence) {
      const message = `${chain.from - due} missing: expected ${due}, found ${chain.from}`;
      return new ChainError('SEQUENCE_GAP', message, { sequence: due });
    }
    const last = known.sequence - 1;
    const same =
      found === known.sequence && head !== undefined
        ? Buffer.compare(head.hash, known.hash) === 0
        : this.memory.compare(key, last, known.hash) !== 'other';
    if (last < 0 || same) return null;
    return new ChainError('FORK', `another event ${last}`, { sequence: last });
  }

  report(): Report {
    return { ...this.totals, chains: this.chains.size, first: this.firstBad };
  }

  private note(
    record: Pick<StoredFrame, 'offset' | 'lane'>,
    chain: { host: string; incarnation: string } | null,
    error: ChainError,
  ): Finding {
    const finding = findingOf(record, chain, error);
    this.firstBad ??= finding;
    this.totals.bad += 1;
    return finding;
  }
}

function findingOf(
  { offset, lane }: Pick<StoredFrame, 'offset' | 'lane'>,
  chain: { host: string; incarnation: string } | null,
  { code, sequence, message }: ChainError,
): Finding {
  const { host = null, incarnation = null } = chain ?? {};
  return { offset, code, host, incarnation, lane, sequence, detail: message };
}
