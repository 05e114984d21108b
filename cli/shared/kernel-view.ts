import { join } from 'node:path';
import { BpfError, ReflexesMap, SubjectsMap } from '#bpf';
import type { Config } from '#config';
import type { Subject } from '#event';
import { TIER_NAMES } from '#trust';
import { CliError } from './exit.ts';
import { isLoaded, runLoader } from './kernel.ts';

const KINDS = { auid: 1, loader: 2, uid: 3 } as const;

/** What this host's kernel holds of one subject. */
export interface SubjectView {
  readonly subject: string;
  /** null: the default, which needs no entry. */
  readonly tier: string | null;
  readonly revision: number | null;
  readonly reflex: string | null;
}

/** What only warden-load gives, as it says it. */
export interface RaiseView {
  readonly subject: string;
  readonly kind: string;
  readonly id: string;
  readonly left_ms: number | null;
}

export interface KernelView {
  readonly subjects: readonly SubjectView[];
  readonly raises: readonly RaiseView[];
}

const tierName = (tier: number): string => TIER_NAMES[tier as 0] ?? String(tier);

/** The kernel's own maps, as far as this user may read them; a text says why not. */
export function kernelView(config: Config, subjects: readonly Subject[]): KernelView | string {
  if (subjects.length === 0) return 'not of this host';
  if (!isLoaded(config)) return 'nothing is loaded here';
  try {
    return { subjects: subjectViews(config, subjects), raises: raisesOf(config, subjects) };
  } catch (error) {
    if (!(error instanceof BpfError) && !(error instanceof CliError)) throw error;
    return `not readable: ${error.message}`;
  }
}

function subjectViews({ runDir }: Config, wanted: readonly Subject[]): SubjectView[] {
  const subjects = new SubjectsMap(join(runDir, 'bpf/subjects'));
  const reflexes = new ReflexesMap(join(runDir, 'bpf/reflexes'));
  try {
    const held = subjects.read();
    const reflexed = reflexes.read();
    return wanted.map(({ kind, id }) => {
      const is = (entry: { kind: number; id: number }) =>
        entry.kind === KINDS[kind] && entry.id === id;
      const entry = held.find(is);
      const reflex = reflexed.find(is);
      return {
        subject: `${kind}:${id}`,
        tier: entry === undefined ? null : tierName(entry.tier),
        revision: entry === undefined ? null : Number(entry.revision),
        reflex: reflex === undefined ? null : tierName(reflex.tier),
      };
    });
  } finally {
    subjects.close();
    reflexes.close();
  }
}

function raisesOf({ runDir }: Config, wanted: readonly Subject[]): RaiseView[] {
  const names = new Set(wanted.map(({ kind, id }) => `${kind}:${id}`));
  const said = JSON.parse(runLoader(['raises', '--dir', runDir, '--json'])) as {
    readonly raises: readonly RaiseView[];
  };
  return said.raises.filter(({ subject }) => names.has(subject));
}
