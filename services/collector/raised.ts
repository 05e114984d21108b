import type { KernelRaised } from '#bpf';
import { commandNumber, type Event, GRANTED_COMMANDS, hostPrincipal } from '#event';
import { principalOf } from '#policy';
import { TIER_NAMES } from '#trust';
import { systemEvent } from './losses.ts';
import { type Context, subjectOf } from './translate.ts';

const VERBS: Readonly<Record<number, string>> = { 1: 'pin', 2: 'break_glass', 3: 'observe' };
const EFFECTS: Readonly<Record<number, string>> = {
  1: 'in the kernel',
  2: 'taken back from the kernel',
  3: 'refused: the token is not valid here',
};
const KINDS: Readonly<Record<number, string>> = { 1: 'auid', 2: 'loader', 3: 'uid' };
const ALL = (1n << 64n) - 1n;
const NS_PER_MS = 1_000_000n;

function commandsOf(mask: bigint): string {
  if (mask === ALL) return 'all';
  return GRANTED_COMMANDS.filter((name) => (mask >> BigInt(commandNumber(name))) & 1n).join(',');
}

const GUARD = 4;
const SEAL = 5;
const FILE = 6;
const STATES: Readonly<Record<number, readonly string[]>> = {
  [GUARD]: ['', 'stopped', 'runs', 'refused', 'before', 'unheard'],
  [SEAL]: ['', 'sealed', 'unsealed', 'refused'],
};

/** Says what the watchdog found, or that a guard was sealed, by a way that needs no guard. */
function stateEvent({ kind, action, reason, bootNs }: KernelRaised, context: Context): Event {
  const timeUs = Number((bootNs + context.bootOffsetNs) / 1000n);
  const state = STATES[kind]?.[action] ?? String(action);
  return systemEvent({
    command: kind === GUARD ? 'GUARD' : 'SEAL',
    principal: hostPrincipal(context.host),
    timeUs,
    mode: context.mode,
    details: { state, found: reason },
  });
}

const FILE_STATES = ['', 'listed', 'kept', 'denied', 'ended', 'gone'];
const GONE = 5;

/** Says that a loader's file is another than the policy was applied to, and what comes of it. */
function fileEvent(raised: KernelRaised, context: Context): Event {
  const { action, author, reason, idHex, bootNs, untilBootNs } = raised;
  const realtime = (ns: bigint) => Number((ns + context.bootOffsetNs) / NS_PER_MS);
  return systemEvent({
    command: 'LOADER',
    principal: hostPrincipal(context.host),
    timeUs: realtime(bootNs) * 1000,
    mode: context.mode,
    details: {
      state: FILE_STATES[action] ?? String(action),
      loader: author,
      path: reason,
      ...(action !== GONE && { sha256: idHex }),
      ...(untilBootNs > 0n && { until: new Date(realtime(untilBootNs)).toISOString() }),
    },
  });
}

/** Says under the host's own principal what warden-load gave, took back or refused. */
export function raisedEvent(raised: KernelRaised, context: Context): Event {
  if (raised.kind in STATES) return stateEvent(raised, context);
  if (raised.kind === FILE) return fileEvent(raised, context);
  const { host, mode, policy, bootOffsetNs } = context;
  const { realms, loaders } = policy;
  const { subject, kind, action, tier, commands, issuedMs, id, author, reason } = raised;
  const realtime = (bootNs: bigint) => Number((bootNs + bootOffsetNs) / NS_PER_MS);
  const timeMs = realtime(raised.bootNs);
  const isKnown = subject.kind !== 0;
  return systemEvent({
    command: 'OVERRIDE',
    principal: hostPrincipal(host),
    timeUs: timeMs * 1000,
    mode,
    details: {
      verb: VERBS[kind] ?? kind,
      effect: EFFECTS[action] ?? action,
      id,
      author,
      reason,
      ...(isKnown && {
        subject: `${KINDS[subject.kind] ?? subject.kind}:${subject.id}`,
        for_principal: principalOf(subjectOf(subject), { host, realms, loaders }),
      }),
      ...(kind === 1 && { tier: TIER_NAMES[tier as 0] ?? tier }),
      ...(kind === 2 && { commands: commandsOf(commands) }),
      ...(action === 1 && { until: new Date(realtime(raised.untilBootNs)).toISOString() }),
      ...(issuedMs > 0 && { latency_ms: Math.max(0, timeMs - issuedMs) }),
    },
  });
}
