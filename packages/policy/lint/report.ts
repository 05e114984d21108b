import { TIER_NAMES, type TierName } from '#trust';
import { UNKNOWN_GRANT } from '../check.ts';
import type { PolicyFile } from '../file.ts';
import type { Policy } from '../policy.ts';
import { formatPath, type Path, type Problem } from '../problem.ts';
import type { Source } from '../source.ts';

/** What a check found in a policy that can be read: an error must not be applied. */
export interface Finding extends Problem {
  readonly severity: 'error' | 'warning';
}

/** What lints look at. */
export interface Linted {
  readonly file: PolicyFile;
  readonly policy: Policy;
  /** Rules that golden cases name; null where there are no cases. */
  readonly covered: ReadonlySet<string> | null;
}

type Said = Pick<Finding, 'severity' | 'code' | 'message'> & { readonly expected?: string };

/** Findings with their place in the file. */
export class Report {
  private readonly source: Source;
  private readonly all: Finding[] = [];

  constructor(source: Source) {
    this.source = source;
  }

  /** By place. */
  get findings(): readonly Finding[] {
    return this.all.toSorted((a, b) => a.line - b.line || a.column - b.column);
  }

  add(path: Path, { expected, ...said }: Said, at: 'key' | 'value' = 'value'): void {
    const place = this.source.locate(path, at);
    const { file } = this.source;
    const where = { file, ...place, path: formatPath(path) };
    this.all.push({ ...where, ...said, expected: expected ?? null, nearest: null });
  }
}

/** Where the file has what makes a rule: the list of its grant, else the tier or the loader. */
export function pathOfRule({ file, policy }: Linted, rule: string): Path {
  const first = rule.indexOf('.');
  const last = rule.lastIndexOf('.');
  const [kind, name, dimension] = [
    rule.slice(0, first),
    rule.slice(first + 1, last),
    rule.slice(last + 1),
  ];
  const tier = TIER_NAMES.indexOf(name as TierName);
  const index = (file.loaders ?? []).findIndex((one) => one.name === name);
  const grant =
    kind === 'tiers' ? policy.tiers[tier] : (file.loaders?.[index]?.grant ?? UNKNOWN_GRANT);
  if (file.grants?.[grant ?? ''] !== undefined) return ['grants', grant as string, dimension];
  return kind === 'tiers' ? ['tiers', name] : ['loaders', index];
}
