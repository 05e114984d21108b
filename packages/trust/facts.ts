import type { Event, HostName, PrincipalKey } from '#event';

/**
 * What signals are judged from: the part of an event that moves trust. Kept with every record that
 * raised a signal, so that the judgement can be repeated; keys stand in alphabetical order.
 */
export interface ActFacts {
  /** unset, counts or claimed; null for the system's own events. */
  readonly auidStatus: string | null;
  readonly command: string;
  /** Calls that this record stands for, at least 1. */
  readonly count: number;
  /** allow, deny or would_deny. */
  readonly decision: string;
  /** LOSS only: false where sequences are missing that no LOSS declared. */
  readonly declared: boolean;
  /** Refused by our own guard: never evidence against the principal. */
  readonly denied: boolean;
  readonly errno: string | null;
  readonly exePath: string | null;
  /** What the program calls; empty where nobody looked into it. */
  readonly helpers: readonly string[];
  readonly host: HostName;
  readonly initUserns: boolean;
  /** Name of the loader in the policy, null when unknown. */
  readonly loader: string | null;
  /** Who made the object that was asked for by id, null when not known or not such an act. */
  readonly objectOwner: string | null;
  /** Where the executable's file lives: see `ExePlace`. */
  readonly places: readonly string[];
  readonly principal: PrincipalKey;
  readonly programType: string | null;
  /** Of the instructions; null where the kernel has no digest. The 64-bit tag is no identity. */
  readonly programSha256: string | null;
  /** That refused, or would have. */
  readonly rule: string | null;
}

function ownerOf(event: Event): string | null {
  if (event.act.command === 'PROG_GET_FD_BY_ID') return event.program?.owner ?? null;
  if (event.act.command === 'MAP_GET_FD_BY_ID') return event.map?.owner ?? null;
  if (event.act.command === 'LINK_GET_FD_BY_ID') return event.link?.owner ?? null;
  return null;
}

function isDeclared(event: Event): boolean {
  return !event.details.some(({ key, value }) => key === 'declared' && value === 'false');
}

export function factsOf(event: Event, host: HostName): ActFacts {
  const { act, loader, process, program, verdict } = event;
  return {
    auidStatus: process?.auidStatus ?? null,
    command: act.command,
    count: Math.max(1, act.count),
    decision: verdict.decision,
    declared: isDeclared(event),
    denied: verdict.decision === 'deny' && verdict.enforced,
    errno: act.errno,
    exePath: loader?.path ?? null,
    helpers: program?.helpers ?? [],
    host,
    initUserns: process?.initUserns ?? true,
    loader: loader?.name ?? null,
    objectOwner: ownerOf(event),
    places: loader?.places ?? [],
    principal: event.principal,
    programSha256: program?.sha256 ?? null,
    programType: program?.type ?? null,
    rule: verdict.rule,
  };
}

/** The facts as canonical JSON: keys in a fixed order, so that equal facts have equal bytes. */
export function factsText(facts: ActFacts): string {
  const keys = Object.keys(facts).sort();
  return JSON.stringify(facts, keys);
}
