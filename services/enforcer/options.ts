import type { Event, HostName, Mode } from '#event';
import type { Policy } from '#policy';
import type { FoldStore } from '#state';
import type { Logger, Tracer } from '#telemetry';
import type { BreakerLimits, Population } from './breaker.ts';
import type { Measures } from './measures.ts';
import type { AdminMap, HostMap, ReflexMap, SubjectMap } from './ports.ts';

export interface EnforcerOptions {
  /** This host's own store, with the log that the tiers are in. */
  readonly store: Pick<FoldStore, 'log' | 'commit' | 'position' | 'scan'>;
  /** Whose log that is: offsets in the host's own say nothing in the fleet's, and back. */
  readonly source: 'host' | 'fleet';
  /** Reads the tiers from their beginning, and forgets what was held: another log, or too old. */
  readonly afresh?: boolean;
  readonly subjects: SubjectMap;
  readonly reflexes: ReflexMap;
  readonly hostMap: HostMap;
  readonly admins: AdminMap;
  readonly bootId: string;
  readonly host: HostName;
  readonly mode: Mode;
  readonly policy: Policy;
  readonly breaker: BreakerLimits;
  readonly logger: Logger;
  /** Stores an event under this host's own principal. */
  readonly append: (event: Event) => void;
  readonly now: () => number;
  /** CLOCK_BOOTTIME, ns. */
  readonly bootNow: () => bigint;
  /** Whom the breaker's limits are a share of. */
  readonly population: () => Promise<Population>;
  readonly measures?: Measures;
  readonly tracer?: Tracer | null;
}
