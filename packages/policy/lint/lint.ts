import type { Source } from '../source.ts';
import { lintCritical, lintLimits, lintNoise } from './evidence.ts';
import { lintLockout } from './lockout.ts';
import { lintReach } from './reach.ts';
import { type Finding, type Linted, Report } from './report.ts';
import { lintRules } from './rules.ts';
import { lintWeak } from './weak.ts';

/** What is to be said of a policy that can be read, by place in its file. */
export function lint(source: Source, linted: Linted): readonly Finding[] {
  const report = new Report(source);
  const { policy } = linted;
  lintNoise(report, policy);
  lintCritical(report, policy);
  lintLimits(report, policy);
  lintReach(report, linted);
  lintRules(report, linted);
  lintLockout(report, linted);
  lintWeak(report, linted);
  return report.findings;
}
