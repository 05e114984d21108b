import type { EventJson } from '#event';
import { CATALOGUE } from './catalogue/index.ts';
import type { Boot, Made } from './guest.ts';
import type { Attack, Result, Row, Setting } from './types.ts';
import { RESULTS } from './types.ts';

/** Parts of an event that tell what it is. */
interface Seen {
  readonly act: { readonly command: string; readonly via: string; readonly errno: string | null };
  readonly process: { readonly comm: string } | null;
  readonly verdict: { readonly decision: string; readonly rule: string | null };
}

const seen = (event: EventJson) => event as unknown as Seen & EventJson;
const timeUs = ({ time }: EventJson): number =>
  Date.parse(`${time.slice(0, 23)}Z`) * 1000 + Number(time.slice(23, 26));

/** What the system says about itself, and which of it is the record of an attack. */
const SYSTEM = ['GUARD', 'DRIFT', 'LOSS', 'FORK', 'RING_TAMPER', 'LOG_TAMPER', 'STOP', 'TAMPER'];
/** The runner's own. */
const OWN = ['lab-run'];
/** By which attackers get themselves lowered, before the attack that counts. */
const LOWERING = ['TOKEN_CREATE', 'REFLEX'];
/** That somebody makes a first program of some kind tells of no attack. */
const MILD = ['S10', 'S11', 'S12', 'S13', 'S14', 'S15', 'S16', 'S16H'];

function isRefusal(event: EventJson): boolean {
  return seen(event).verdict.decision !== 'allow';
}

function signalsOf({ trust }: EventJson): readonly string[] {
  return (trust?.signals ?? []).filter((signal) => !MILD.includes(signal));
}

/** Whether an event alone tells somebody that this was an attack. */
function tells(attack: Attack, event: EventJson): boolean {
  const { act } = seen(event);
  const { record } = attack;
  if (attack.family !== 'namespaces' && LOWERING.includes(act.command)) return false;
  if (attack.needsEvent === true) return record?.command.test(act.command) ?? isRefusal(event);
  return (
    isRefusal(event) ||
    signalsOf(event).length > 0 ||
    SYSTEM.includes(act.command) ||
    (record?.command.test(act.command) === true && (record.via?.test(act.via) ?? true))
  );
}

/** One event in a few words. */
function name(event: EventJson): string {
  const { act, verdict } = seen(event);
  const via = act.via === 'bpf' ? '' : ` via ${act.via}`;
  const decision = isRefusal(event) ? ` ${verdict.decision} ${verdict.rule}` : '';
  const signals = signalsOf(event).map((signal) => ` ${signal}`);
  const state = event.details?.state === undefined ? '' : ` ${event.details.state}`;
  return `${act.command}${via}${state}${decision}${signals.join('')}`;
}

/** A record like any other, which nobody would look at: what it says is shown all the same. */
function isPlain(event: EventJson): boolean {
  const { act, process } = seen(event);
  return process !== null && !LOWERING.includes(act.command);
}

/** What was recorded while the attack was made, by others than the runner. */
function during(made: Made, events: readonly EventJson[]): EventJson[] {
  return events.filter((event) => {
    const at = timeUs(event);
    return (
      at >= made.beginUs - 1000 &&
      at <= made.endUs + 1000 &&
      !OWN.includes(seen(event).process?.comm ?? '')
    );
  });
}

/** The event that tells most: a refusal before a signal, a signal before a mere record. */
function eventFor(attack: Attack, all: readonly EventJson[]): EventJson | null {
  const telling = all.filter((event) => tells(attack, event));
  const ranks = [
    (event: EventJson) => seen(event).verdict.decision === 'deny',
    isRefusal,
    (event: EventJson) => SYSTEM.includes(seen(event).act.command),
    () => true,
  ];
  for (const rank of ranks) {
    const found = telling.findLast(rank);
    if (found !== undefined) return found;
  }
  return null;
}

export function expectedOf(attack: Attack, setting: Setting): Result {
  if (setting === 'enforce') return attack.expected;
  if (setting === 'observe') return attack.expected === 'refused' ? 'reported' : attack.expected;
  return setting === 'signing' && attack.signingRefuses === true ? 'refused' : 'allowed';
}

function resultOf(attack: Attack, made: Made, event: EventJson | null): Result {
  const told = event !== null;
  if (made.truth?.gained === true) return told ? 'reported' : 'allowed';
  return attack.needsEvent === true && !told ? 'allowed' : 'refused';
}

/** A row's kernel, and the preemption model that it was booted with, where one was asked for. */
export function kernelOf({ kernel }: Row): {
  readonly version: string;
  readonly preempt: string | null;
} {
  const [version = kernel, preempt = null] = kernel.split(' preempt=');
  return { version, preempt };
}

/** The row of one attack in one boot; null: it was not made there. */
export function judge(
  boot: Boot,
  attack: Attack,
  made: Made | undefined,
  events: readonly EventJson[],
): Row {
  const { kernel, setting, preempt } = boot;
  const base = {
    attack: attack.name,
    family: attack.family,
    kernel: preempt === undefined ? kernel : `${kernel} preempt=${preempt}`,
    setting,
    expected: expectedOf(attack, setting),
  };
  if (made === undefined || made.truth === null) {
    const how = made === undefined ? 'not made' : `ended with ${made.status} and no word`;
    return { ...base, got: 'not run', event: null, how };
  }
  const all = during(made, events);
  const event = eventFor(attack, all);
  const plain = all.findLast((one) => isPlain(one));
  const { errno, how } = made.truth;
  return {
    ...base,
    got: resultOf(attack, made, event),
    event: event !== null ? name(event) : plain !== undefined ? `(${name(plain)})` : null,
    how: errno === null ? how : `${how}: ${errno}`,
  };
}

/** How far a row falls short: 0 or less is as good as expected. */
export function shortfall({ expected, got }: Row): number {
  if (got === 'not run') return RESULTS.length;
  return RESULTS.indexOf(got) - RESULTS.indexOf(expected);
}

const MUST_WORK = new Set(CATALOGUE.filter(({ mustWork }) => mustWork).map(({ name }) => name));

/** A row that must not stand: weaker than expected, what machines live on refused, no attack. */
export function isWrong(row: Row): boolean {
  if (row.setting === 'enforce') {
    return shortfall(row) > 0 || (row.got === 'refused' && MUST_WORK.has(row.attack));
  }
  // An attack that gains nothing where nothing stands in its way shows nothing elsewhere.
  return row.setting === 'none' && row.got !== 'allowed';
}
