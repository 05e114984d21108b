import type { Config } from '#config';
import type { Subject } from '#event';
import { TIER_NAMES } from '#trust';
import { CliError } from './exit.ts';
import { isLoaded, runLoader } from './kernel.ts';

/** What this host's kernel holds of one subject. */
export interface SubjectView {
  readonly subject: string;
  /** null: the default, which needs no entry. */
  readonly tier: string | null;
  readonly revision: number | null;
  readonly reflex: string | null;
}

/** What only warden-load gives. */
export interface RaiseView {
  readonly subject: string;
  readonly kind: string;
  readonly id: string;
  readonly left_ms: number;
}

export interface KernelView {
  readonly subjects: readonly SubjectView[];
  readonly raises: readonly RaiseView[];
  /** Of a host whose root has lost all trust: the tier above which only known loaders are. */
  readonly host_ceiling: string | null;
}

/** `warden-load raises`. */
interface Said {
  readonly subjects: readonly {
    readonly subject: string;
    readonly tier: number;
    readonly revision: number;
  }[];
  readonly reflexes: readonly { readonly subject: string; readonly tier: number }[];
  readonly raises: readonly RaiseView[];
  readonly host_ceiling?: number;
}

const tierName = (tier: number | undefined): string | null =>
  tier === undefined ? null : (TIER_NAMES[tier as 0] ?? String(tier));

/**
 * What the kernel holds, by warden-load: its own use of BPF is no act of whoever asks. A text says
 * why it can't be read.
 */
export function kernelView(config: Config, wanted: readonly Subject[]): KernelView | string {
  if (wanted.length === 0) return 'not of this host';
  if (!isLoaded(config)) return 'nothing is loaded here';
  let said: Said;
  try {
    said = JSON.parse(runLoader(['raises', '--dir', config.runDir])) as Said;
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return `not readable: ${error.message}`;
  }
  const names = wanted.map(({ kind, id }) => `${kind}:${id}`);
  return {
    subjects: names.map((subject) => {
      const entry = said.subjects.find((one) => one.subject === subject);
      const reflex = said.reflexes.find((one) => one.subject === subject);
      const revision = entry?.revision ?? null;
      return { subject, tier: tierName(entry?.tier), revision, reflex: tierName(reflex?.tier) };
    }),
    host_ceiling: tierName(said.host_ceiling),
    raises: said.raises.filter(({ subject }) => names.includes(subject)),
  };
}
