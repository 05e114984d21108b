import { details, type Event, type Mode, type PrincipalKey } from '#event';
import type { StateChange, Store } from '#state';

export const RING_NAMES = ['deny', 'object', 'bulk'] as const;
export type RingName = (typeof RING_NAMES)[number];
/** Calls for which the kernel ran no program at all: an upper bound, in no ring. */
export const SKIPPED = 'skipped';
export type LossSource = RingName | typeof SKIPPED;

/** Where one ring's hole lies: after the record at `after`, before the one at `before`. */
export interface Hole {
  readonly ring: LossSource;
  readonly count: number;
  readonly after: number | null;
  readonly before: number;
}

/**
 * What each ring has declared lost. A ring's cumulative count travels in every record, so the first
 * record with a larger count bounds the hole; what is counted after the last record is found in the
 * kernel's own statistics once the ring is empty.
 */
export class Losses {
  private readonly declared = new Map<LossSource, number>();
  private readonly last = new Map<LossSource, number>();
  private readonly touched = new Set<LossSource>();
  private readonly life: string;

  private constructor(life: string) {
    this.life = life;
  }

  /** `life`: boot id and ring map ids, so that counts of other rings are not mistaken for these. */
  static async open(store: Store, life: string): Promise<Losses> {
    const losses = new Losses(life);
    for (const ring of [...RING_NAMES, SKIPPED] as const) {
      const stored = await store.get('host', 0, losses.key(ring));
      losses.declared.set(ring, stored === null ? 0 : Number(Buffer.from(stored).toString()));
    }
    return losses;
  }

  private key(ring: LossSource): string {
    return `lost/${this.life}/${ring}`;
  }

  /** The hole before the record at `position`, if its count grew. */
  before(ring: RingName, position: number, lost: number): Hole | null {
    const hole = this.grow(ring, position, lost);
    this.last.set(ring, position);
    return hole;
  }

  /** The hole at the end of an emptied ring whose producer stands at `position`. */
  atEnd(ring: LossSource, position: number, lost: number): Hole | null {
    return this.grow(ring, position, lost);
  }

  private grow(ring: LossSource, before: number, lost: number): Hole | null {
    const declared = this.declared.get(ring) ?? 0;
    if (lost <= declared) return null;
    this.declared.set(ring, lost);
    this.touched.add(ring);
    return { ring, count: lost - declared, after: this.last.get(ring) ?? null, before };
  }

  /** State to commit with the LOSS events. */
  changes(): StateChange[] {
    const changes = [...this.touched].map((ring) => ({
      space: 'host' as const,
      lane: 0,
      key: this.key(ring),
      value: Buffer.from(String(this.declared.get(ring))),
    }));
    this.touched.clear();
    return changes;
  }
}

/** An event of the system itself, under `host:NAME`. */
export function systemEvent(options: {
  command: string;
  principal: PrincipalKey;
  timeUs: number;
  mode: Mode;
  count?: number;
  details: Readonly<Record<string, string | number | boolean>>;
}): Event {
  const { command, principal, timeUs, mode, count = 1 } = options;
  return {
    timeUs,
    principal,
    subject: null,
    loader: null,
    process: null,
    act: { command, via: 'warden', result: null, errno: null, count },
    program: null,
    map: null,
    link: null,
    path: null,
    verdict: { decision: 'allow', rule: null, enforced: false, mode, by: 'subject' },
    details: details(options.details),
  };
}

export function lossEvent(hole: Hole, at: { principal: PrincipalKey; timeUs: number; mode: Mode }) {
  return systemEvent({
    command: 'LOSS',
    ...at,
    count: hole.count,
    details: {
      ring: hole.ring,
      count: hole.count,
      after_position: hole.after ?? 'start',
      before_position: hole.before,
    },
  });
}
