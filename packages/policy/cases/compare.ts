import { contributions, effectiveTier, POINT, TIER_NAMES, trustAt } from '#trust';
import type { Policy } from '../policy.ts';
import type { ExpectFile } from './file.ts';
import type { GoldenCase } from './parse.ts';
import { type Change, Teller, type Told } from './tell.ts';
import { formatStoryTime } from './times.ts';

/** An expectation that was not met. */
export interface Miss {
  readonly line: number;
  /** `day 3 09:00` */
  readonly at: string;
  readonly key: keyof ExpectFile;
  readonly expected: string;
  readonly found: string;
}

export interface CaseResult {
  readonly ok: boolean;
  readonly misses: readonly Miss[];
  readonly changes: readonly Change[];
  /** Rules that a verdict of the case names. */
  readonly rules: readonly string[];
  readonly expectations: number;
}

/** Misses kept of a case. */
const MISSES_MAX = 20;

/** Tells a story under a policy, and compares. Pure: no clock but the story's own. */
export function runCase(one: GoldenCase, policy: Policy): CaseResult {
  const teller = new Teller(policy, one);
  const misses: Miss[] = [];
  const rules = new Set<string>();
  let expectations = 0;
  for (const { tMs, step: index, last } of one.times) {
    const step = one.story[index] as (typeof one.story)[number];
    teller.advance(tMs);
    const told = teller.take(step, tMs);
    if (step.expect === undefined) continue;
    const found = foundAt(teller, told, tMs);
    for (const [key, expected] of expectedOf(step.expect, last)) {
      expectations += 1;
      if (key === 'rule' && told.judged?.rule != null) rules.add(told.judged.rule);
      if (meets(key, expected, found)) continue;
      misses.push({
        line: one.lines[index] as number,
        at: formatStoryTime(tMs, one.startMs),
        key,
        expected: said(expected),
        found: said(found[key]),
      });
    }
  }
  const { changes } = teller;
  const kept = misses.slice(0, MISSES_MAX);
  return { ok: misses.length === 0, misses: kept, changes, rules: [...rules], expectations };
}

/** Of a step that happens many times every verdict counts, and its end. */
const EACH_TIME: ReadonlySet<keyof ExpectFile> = new Set(['verdict', 'rule']);

type Expected = NonNullable<ExpectFile[keyof ExpectFile]>;

function expectedOf(expect: ExpectFile, last: boolean): [keyof ExpectFile, Expected][] {
  const all = Object.entries(expect) as [keyof ExpectFile, Expected][];
  return all.filter(([key]) => last || EACH_TIME.has(key));
}

type Found = Readonly<Record<keyof ExpectFile, string | number | boolean | readonly string[]>>;

const WEIGHS = POINT / 2;

function foundAt({ state, model, changes }: Teller, told: Told, tMs: number): Found {
  const { signals } = contributions(state, tMs, model);
  return {
    tier: TIER_NAMES[effectiveTier(state)],
    trust: trustAt(state, tMs, model) / POINT,
    signals: signals.filter(({ mass }) => mass >= WEIGHS).map(({ id }) => id),
    raises: told.raised,
    verdict: told.judged?.decision ?? 'none',
    rule: told.judged?.rule ?? 'none',
    changes: changes.length,
    refused: told.refused,
  };
}

function meets(key: keyof ExpectFile, expected: Expected, found: Found): boolean {
  const value = found[key];
  if (key === 'trust' || key === 'changes') return within(value as number, String(expected));
  if (Array.isArray(expected)) {
    return said(expected.toSorted()) === said((value as readonly string[]).toSorted());
  }
  return value === expected;
}

/** `60..65` with both ends; `60` is 60 up to below 61. */
function within(value: number, range: string): boolean {
  const [least, most] = range.split('..');
  if (most !== undefined) return Number(least) <= value && value <= Number(most);
  return Math.floor(value) === Number(least);
}

function said(value: Expected | readonly string[]): string {
  if (typeof value === 'number') return Number.isInteger(value) ? `${value}` : value.toFixed(2);
  if (!Array.isArray(value)) return String(value);
  return value.length === 0 ? 'none' : value.join(' ');
}
