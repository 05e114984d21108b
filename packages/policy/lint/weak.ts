import { PROGRAM_TYPES } from '#event';
import type { GrantMasks } from '../compile.ts';
import { Judge } from '../judge.ts';
import type { Linted, Report } from './report.ts';

const WIDE = ['KPROBE', 'TRACING', 'LSM'];

function wideIn(grant: GrantMasks): readonly string[] {
  return WIDE.filter((type) => (grant.programTypes >> BigInt(PROGRAM_TYPES.indexOf(type))) & 1n);
}

/** Agents known by their path only that may load what sees or changes everything. */
export function lintWeak(report: Report, { file, policy }: Linted): void {
  const judge = new Judge(policy);
  for (const [i, loader] of (file.loaders ?? []).entries()) {
    const { name, kind = 'agent', match } = loader;
    if (kind !== 'agent' || match.sha256 !== undefined) continue;
    const grant = judge.grantOf(name);
    const wide = wideIn(grant);
    if (wide.length === 0) continue;
    const what = grant.name === 'all' ? 'everything' : `to load ${wide.join(', ')}`;
    const message = `${name} is known by its path only (weak) and is allowed ${what}`;
    const expected = 'match.sha256 of its file, or a narrower grant';
    report.add(['loaders', i, 'match'], { severity: 'warning', code: 'WEAK', message, expected });
  }
}
