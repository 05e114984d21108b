import { type HostName, hostName, type PrincipalKey, principalKey } from '#event';
import type { Policy } from '../policy.ts';
import type { Problem } from '../problem.ts';
import { checkShape } from '../schema.ts';
import { Source } from '../source.ts';
import { checkCases } from './check.ts';
import type { CaseFile, CasesFile, StepFile } from './file.ts';
import { type Occurrence, occurrences, startOf } from './times.ts';

/** A story that a policy must tell as expected. */
export interface GoldenCase {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly about: PrincipalKey;
  /** Where it acts unless a step says otherwise. */
  readonly host: HostName;
  /** Midnight of day 1, ms since 1970. */
  readonly startMs: number;
  readonly story: readonly StepFile[];
  /** Line of each step. */
  readonly lines: readonly number[];
  readonly times: readonly Occurrence[];
}

export type ParsedCases =
  | { readonly ok: true; readonly cases: readonly GoldenCase[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Reads golden cases, whose names must be those of the policy. Never throws, whatever the text.
 * `filename` is for messages.
 */
export function parseCases(text: string, filename: string, policy: Policy): ParsedCases {
  const source = new Source(filename);
  source.readYaml(text);
  if (source.problems.length === 0 && checkShape(source, 'cases')) {
    checkCases(source, source.value as CasesFile, policy);
  }
  const { problems } = source;
  if (problems.length > 0) return { ok: false, problems };
  const { cases } = source.value as CasesFile;
  return { ok: true, cases: cases.map((one, i) => goldenCase(source, policy, one, i)) };
}

const HOST = 'host-1';

/** Where a principal lives, unless its key names a realm. */
function hostOf({ about, host }: CaseFile, realms: Policy['realms']): string {
  const where = about.startsWith('host:')
    ? about.slice(5)
    : about.slice(about.lastIndexOf('@') + 1);
  return host ?? (realms.some(({ name }) => name === where) ? HOST : where);
}

function goldenCase(source: Source, policy: Policy, one: CaseFile, index: number): GoldenCase {
  const startMs = startOf(one);
  return {
    name: one.name,
    file: source.file,
    line: source.lineOf(['cases', index]),
    about: principalKey(one.about),
    host: hostName(hostOf(one, policy.realms)),
    startMs,
    story: one.story,
    lines: one.story.map((_, step) => source.lineOf(['cases', index, 'story', step])),
    times: occurrences(one.story, startMs),
  };
}
