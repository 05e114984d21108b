import {
  ATTACH_TYPES,
  EventError,
  GRANTED_COMMANDS,
  HELPERS,
  MAP_TYPES,
  PROGRAM_TYPES,
  principalKey,
  SYSTEM_COMMANDS,
} from '#event';
import { RAISED_SIGNALS } from '#trust';
import { nearest } from '../nearest.ts';
import type { Policy } from '../policy.ts';
import { type Path, shown } from '../problem.ts';
import type { Source } from '../source.ts';
import { ACT_KEYS, type CaseFile, type CasesFile, SAY_KEYS, type StepFile } from './file.ts';
import { OCCURRENCES_MAX, occurrences, startOf } from './times.ts';

/** What the schema can't say: names that must exist, and what goes with what. */
export function checkCases(source: Source, { cases }: CasesFile, policy: Policy): void {
  for (const [i, one] of cases.entries()) {
    const path = ['cases', i];
    if (cases.slice(0, i).some(({ name }) => name === one.name)) {
      const message = `a second case ${shown(one.name)}`;
      source.add([...path, 'name'], { code: 'DUPLICATE', message });
    }
    checkPrincipal(source, [...path, 'about'], one.about);
    if (Number.isNaN(startOf(one))) {
      const message = `${shown(one.start)} does not exist`;
      source.add([...path, 'start'], { code: 'BAD_VALUE', message, expected: 'a day' });
    }
    const said: string[] = [];
    for (const [j, step] of one.story.entries()) {
      checkStep(source, [...path, 'story', j], step, { policy, said });
      if (step.as !== undefined) said.push(step.as);
    }
    checkTimes(source, path, one);
  }
}

function checkPrincipal(source: Source, path: Path, text: string): void {
  try {
    principalKey(text);
  } catch (error) {
    if (!(error instanceof EventError)) throw error;
    const expected = 'a principal such as uid:10001@corp, cilium@web-1 or uid:33@web-1';
    const message = `${shown(text)} is no principal`;
    source.add(path, { code: 'BAD_VALUE', message, expected });
  }
}

interface Context {
  readonly policy: Policy;
  /** Names of what was said before. */
  readonly said: readonly string[];
}

const KINDS = ['act', 'ask', 'say', 'risk'] as const;

function checkStep(source: Source, path: Path, step: StepFile, context: Context): void {
  const kinds = KINDS.filter((kind) => step[kind] !== undefined);
  const [kind] = kinds;
  if (kinds.length > 1) {
    const message = `${kinds.join(' and ')} in one step`;
    source.add(path, { code: 'DUPLICATE', message, expected: 'a step for each' });
    return;
  }
  if (kind === undefined && step.expect === undefined) {
    const message = 'a step in which nothing happens and nothing is expected';
    source.add(path, { code: 'MISSING', message, expected: 'act, ask, say, risk or expect' });
    return;
  }
  checkKeys(source, path, step, kind);
  if (kind === 'act' || kind === 'ask') checkAct(source, path, step, context.policy);
  if (kind === 'say') checkSaid(source, path, step, context);
  checkExpected(source, path, step, kind);
}

const OF_ALL = ['at', 'every', 'expect', ...KINDS];

/** Keys that say nothing of this kind of step would have no effect. */
function checkKeys(source: Source, path: Path, step: StepFile, kind: string | undefined): void {
  const fit: readonly string[] =
    kind === 'act' || kind === 'ask'
      ? ACT_KEYS
      : step.say !== undefined
        ? [...SAY_KEYS[step.say], 'by', 'reason']
        : [];
  for (const key of Object.keys(step)) {
    if (OF_ALL.includes(key) || fit.includes(key)) continue;
    const of = step.say ?? kind ?? 'a step that only expects';
    const message = `${shown(key)} says nothing of ${of}`;
    source.add([...path, key], { code: 'UNUSED', message }, 'key');
  }
}

function checkName(
  source: Source,
  path: Path,
  names: readonly string[],
  what: { readonly name: string; readonly is: string },
): void {
  if (names.includes(what.name)) return;
  const message = `no ${what.is} is called ${shown(what.name)}`;
  const hint = nearest(what.name, names);
  source.add(path, { code: 'UNKNOWN_NAME', message, nearest: hint });
}

const NAMED = {
  program: { names: PROGRAM_TYPES, is: 'program type' },
  map: { names: MAP_TYPES, is: 'map type' },
  attach: { names: ATTACH_TYPES, is: 'attach type' },
} as const;

function checkAct(source: Source, path: Path, step: StepFile, policy: Policy): void {
  const key = step.act === undefined ? 'ask' : 'act';
  const commands = key === 'act' ? [...GRANTED_COMMANDS, ...SYSTEM_COMMANDS] : GRANTED_COMMANDS;
  checkName(source, [...path, key], commands, { name: step[key] as string, is: 'command' });
  for (const [name, { names, is }] of Object.entries(NAMED)) {
    const value = step[name as keyof typeof NAMED];
    if (value !== undefined) checkName(source, [...path, name], names, { name: value, is });
  }
  for (const [i, name] of (step.helpers ?? []).entries()) {
    checkName(source, [...path, 'helpers', i], HELPERS, { name, is: 'helper' });
  }
  if (step.loader !== undefined) {
    const names = policy.loaders.map(({ name }) => name);
    checkName(source, [...path, 'loader'], names, { name: step.loader, is: 'loader' });
    if (step.path !== undefined) {
      const message = 'a loader of the policy has its path there';
      source.add([...path, 'path'], { code: 'UNUSED', message }, 'key');
    }
  }
  if (step.owner !== undefined) checkPrincipal(source, [...path, 'owner'], step.owner);
}

const LASTING = ['break_glass', 'observe'];

function checkSaid(source: Source, path: Path, step: StepFile, { said }: Context): void {
  const missing = (key: string, expected: string): void =>
    source.add(path, { code: 'MISSING', message: `${shown(key)} is missing`, expected });
  const { say = 'pardon' } = step;
  if (say === 'pin' && step.tier === undefined) missing('tier', 'the tier that the pin gives');
  if (say === 'adjust' && step.factor === undefined) missing('factor', '0 to 2');
  if (LASTING.includes(say) && step.for === undefined) missing('for', 'a time such as 15m');
  if (say === 'lift' && step.lifts === undefined) missing('lifts', 'the name (as) of an override');
  if (step.lifts !== undefined && !said.includes(step.lifts)) {
    const message = `nothing before is called ${shown(step.lifts)}`;
    const hint = nearest(step.lifts, said);
    source.add([...path, 'lifts'], { code: 'UNKNOWN_NAME', message, nearest: hint });
  }
  if (step.as !== undefined && said.includes(step.as)) {
    source.add([...path, 'as'], { code: 'DUPLICATE', message: `a second ${shown(step.as)}` });
  }
  checkSignals(source, [...path, 'signals'], step.signals, ['S20']);
}

function checkSignals(
  source: Source,
  path: Path,
  ids: readonly string[] = [],
  more: readonly string[] = [],
): void {
  const names = [...RAISED_SIGNALS.map(({ id }) => id), ...more];
  for (const [i, name] of ids.entries()) {
    checkName(source, [...path, i], names, { name, is: 'signal' });
  }
}

const OF_ACTS = ['raises', 'verdict', 'rule'] as const;

function checkExpected(
  source: Source,
  path: Path,
  { expect, act }: StepFile,
  kind: string | undefined,
): void {
  if (expect === undefined) return;
  const at = [...path, 'expect'];
  checkSignals(source, [...at, 'signals'], expect.signals);
  checkSignals(source, [...at, 'raises'], expect.raises);
  for (const key of OF_ACTS) {
    const fits = key === 'raises' ? kind === 'act' || kind === 'risk' : isJudged(kind, act);
    if (expect[key] === undefined || fits) continue;
    const why = key === 'raises' ? 'in which nothing is done' : 'of which nothing is decided';
    const message = `${shown(key)} is expected of a step ${why}`;
    source.add([...at, key], { code: 'UNUSED', message }, 'key');
  }
  if (expect.refused !== undefined && kind !== 'say') {
    const message = '"refused" is expected of a step that says nothing';
    source.add([...at, 'refused'], { code: 'UNUSED', message }, 'key');
  }
  if (expect.rule !== undefined && (expect.verdict ?? 'allow') === 'allow') {
    const message = '"rule" without a verdict that it decides';
    source.add([...at, 'rule'], { code: 'UNUSED', message, expected: 'verdict: deny' }, 'key');
  }
}

/** What the system says of itself is not judged. */
function isJudged(kind: string | undefined, command: string | undefined): boolean {
  return kind === 'ask' || (kind === 'act' && GRANTED_COMMANDS.includes(command ?? ''));
}

function checkTimes(source: Source, path: Path, one: CaseFile): void {
  const times = occurrences(one.story, startOf(one));
  if (times.length > OCCURRENCES_MAX) {
    const message = `more than ${OCCURRENCES_MAX} times that something happens`;
    source.add([...path, 'story'], { code: 'TOO_LARGE', message });
  }
  const wrong = times.find(({ tMs }) => Number.isNaN(tMs));
  if (wrong === undefined || Number.isNaN(startOf(one))) return;
  const at = [...path, 'story', wrong.step, 'at'];
  const message = `${shown(one.story[wrong.step]?.at)} does not exist`;
  source.add(at, { code: 'BAD_VALUE', message, expected: 'a time such as 2026-01-07T09:00Z' });
}
