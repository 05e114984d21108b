import type { ActFacts } from './facts.ts';
import type { Model, WorkingHours } from './model.ts';
import { DAY_MS, MINUTE_MS } from './time.ts';

/** What the state remembered before this act. */
export interface Recall {
  readonly tMs: number;
  /** The act's host was never seen, and another one was. */
  readonly newHost: boolean;
  /** The program that was loaded, and the days since the last of its class; null: never. */
  readonly loaded: { readonly kind: 'network' | 'tracing'; readonly days: number | null } | null;
}

/** How sure the rule is: 0 (not raised), 250, 500, 750 or 1000 permille of the weight. */
export type Detect = (facts: ActFacts, recall: Recall, model: Model) => number;

/** A signal raised by more than `limit` matching acts within `windowMs`. */
export interface Burst {
  readonly windowMs: number;
  readonly limit: number;
  readonly matches: (facts: ActFacts) => boolean;
}

const SURE = 1000;

const when = (condition: boolean): number => (condition ? SURE : 0);

const isHost = (facts: ActFacts): boolean => facts.principal.startsWith('host:');

/** A ring or log that somebody else wrote to, or two events that claim one id. */
const TAMPERING: ReadonlySet<string> = new Set(['RING_TAMPER', 'LOG_TAMPER', 'FORK']);

/** To look at what is ours, where the policy only observes, is what tools do that list all. */
const LOOKING: ReadonlySet<string> = new Set(['OBJ_GET', 'PIN_OPEN', 'FD_RECEIVE']);

/** S01: the host says that it was tampered with, or somebody tried to reach the guard itself. */
export const tampering: Detect = (facts) => {
  const { command, rule, decision } = facts;
  if (rule === 'guard.protected') return when(decision === 'deny' || !LOOKING.has(command));
  return when(isHost(facts) && TAMPERING.has(command));
};

/** S17: events are missing that nobody said were dropped. */
export const undeclaredHole: Detect = (facts) =>
  when(isHost(facts) && facts.command === 'LOSS' && !facts.declared);

const OVERRIDING: ReadonlySet<string | null> = new Set(['LSM', 'EXT']);

/** S02: a program that can overrule the guard, or stand in for another's, without that grant. */
export const overruling: Detect = ({ command, programType, rule }) =>
  when(
    command === 'PROG_LOAD' &&
      OVERRIDING.has(programType) &&
      (rule?.endsWith('.program_types') ?? false),
  );

/**
 * S03 to S06: the program calls one of these helpers. Not when the policy knows the loader and
 * allows it what it did: an agent that kills or overrides by design would never be trusted.
 */
const calling =
  (...names: readonly string[]): Detect =>
  ({ command, helpers, loader, decision }) =>
    when(
      command === 'PROG_LOAD' &&
        names.some((name) => helpers.includes(name)) &&
        !(loader !== null && decision === 'allow'),
    );

export const writesUserMemory = calling('probe_write_user');
export const overridesReturn = calling('override_return');
export const sendsSignals = calling('send_signal', 'send_signal_thread');
export const loadsFurther = calling('sys_bpf', 'kallsyms_lookup_name', 'sys_close');

/** S08: a container's or an unprivileged user's own user namespace. */
export const foreignNamespace: Detect = ({ command, initUserns }) =>
  when(command === 'PROG_LOAD' && !initUserns);

const OPEN_TO_ALL = ['/tmp/', '/dev/shm/'];

/**
 * S07. A known loader's label was taken at exec, when its file was the one that the policy names:
 * that the file is gone since then is how every package upgrade looks, so it says nothing.
 */
export const loosePlace: Detect = ({ places, exePath, loader }) => {
  if (places.includes('memfd') || places.includes('overlay_upper')) return SURE;
  if (exePath !== null && OPEN_TO_ALL.some((prefix) => exePath.startsWith(prefix))) return SURE;
  return when(places.includes('deleted') && loader === null);
};

/** S09: an fd, by id, of an object that somebody else made. */
export const foreignObject: Detect = ({ objectOwner, principal }) =>
  when(objectOwner !== null && objectOwner !== principal);

/** S15. A program without a digest proves nothing: whether there is one is up to the kernel. */
export const unlistedProgram: Detect = ({ command, errno, programSha256 }, _recall, { allow }) =>
  when(
    allow !== null &&
      command === 'PROG_LOAD' &&
      errno === null &&
      programSha256 !== null &&
      !allow.has(programSha256),
  );

/** S10: the first program of its type that can see packets. */
export const newNetworkType: Detect = (_facts, { loaded }) =>
  when(loaded?.kind === 'network' && loaded.days === null);

const TRACING_DAYS = 30;

/** S11: none of this type for 30 days. */
export const newTracingType: Detect = (_facts, { loaded }) =>
  when(loaded?.kind === 'tracing' && (loaded.days === null || loaded.days > TRACING_DAYS));

/** S16: everybody has a first host, so the first of all is no evidence. */
export const newHost: Detect = (_facts, recall) => when(recall.newHost);

/** S16H, for people only: agents work at night. */
export const offHours: Detect = ({ principal }, { tMs }, { hours }) =>
  when(hours !== null && principal.startsWith('uid:') && !isWorkingTime(hours, tMs));

/** S21: any process whose login uid is unset may write it, so only a login program's counts. */
export const claimedLogin: Detect = ({ auidStatus }) => when(auidStatus === 'claimed');

/** 1970-01-01 was a Thursday; days count from Sunday = 0. */
const EPOCH_WEEKDAY = 4;

function isWorkingTime(hours: WorkingHours, tMs: number): boolean {
  const local = tMs + hours.offsetMinutes * MINUTE_MS;
  const day = Math.floor(local / DAY_MS);
  const weekday = (((day + EPOCH_WEEKDAY) % 7) + 7) % 7;
  const minute = Math.floor((local - day * DAY_MS) / MINUTE_MS);
  return hours.weekdays.includes(weekday) && minute >= hours.fromMinute && minute < hours.toMinute;
}

const SWEEPING = new Set([
  'PROG_GET_NEXT_ID',
  'MAP_GET_NEXT_ID',
  'BTF_GET_NEXT_ID',
  'LINK_GET_NEXT_ID',
  'OBJ_GET_INFO_BY_FD',
]);

/** S12: walking over what others have loaded. */
export const sweep: Burst = {
  windowMs: MINUTE_MS,
  limit: 200,
  matches: ({ command }) => SWEEPING.has(command),
};

/** S13: the kernel refused for want of a capability. Our own denials are no evidence. */
export const refused: Burst = {
  windowMs: 10 * MINUTE_MS,
  limit: 5,
  matches: ({ errno, denied }) => errno === 'EPERM' && !denied,
};

const REJECTIONS = new Set(['EACCES', 'EINVAL', 'E2BIG']);

/** S14: programs that the verifier would not take. */
export const rejected: Burst = {
  windowMs: 10 * MINUTE_MS,
  limit: 20,
  matches: ({ command, errno, denied }) =>
    command === 'PROG_LOAD' && errno !== null && REJECTIONS.has(errno) && !denied,
};
