import { decode, EventError, encode } from '#event';
import { MASS_MAX } from './decay.ts';
import { TrustError } from './errors.ts';
import { CLASSES_MAX, HOSTS_MAX, WINDOWS_MAX } from './memory.ts';
import { MODEL_VERSION } from './model.ts';
import { OVERRIDES_MAX, PERMILLE_MAX } from './override.ts';
import { CREDIT_MAX, TRUST_MAX } from './score.ts';
import { SIGNALS, SIGNALS_MAX } from './signals.ts';
import { CONTROLS_MAX, EVIDENCE_DAYS, type TrustState } from './state.ts';
import { DEMOTIONS_MAX } from './tiers.ts';
import { dayOf, TIME_MAX_MS } from './time.ts';

/** Most bytes of an encoded state: kept by the limits of its collections. */
export const STATE_BYTES_MAX = 4096;

const INT_MAX = 2_147_483_647;
const COUNT_MAX = 1_000_000;
const TIER_MAX = 4;

type Stored = Omit<TrustState, 'policyHash'> & { readonly policy: Uint8Array };

const known: ReadonlySet<number> = new Set(SIGNALS.map(({ number }) => number));

function fail(what: string): never {
  throw new TrustError('BAD_STATE', what);
}

function integer(what: string, value: number, least: number, most: number): void {
  if (!Number.isSafeInteger(value) || value < least || value > most) fail(`${what} ${value}`);
}

function time(what: string, value: number | null): void {
  if (value !== null) integer(what, value, 0, TIME_MAX_MS);
}

function limit(what: string, items: readonly unknown[], most: number): void {
  if (items.length > most)
    throw new TrustError('OVER_LIMIT', `${items.length} ${what}, ${most} fit`);
}

function growing(what: string, keys: readonly number[], strictly: boolean): void {
  for (let i = 1; i < keys.length; i++) {
    const step = (keys[i] as number) - (keys[i - 1] as number);
    if (step < 0 || (strictly && step === 0)) fail(`${what} not sorted`);
  }
}

function checkScalars(state: TrustState): void {
  if (state.modelVersion !== MODEL_VERSION) fail(`model version ${state.modelVersion}`);
  if (!/^[0-9a-f]{64}$/.test(state.policyHash)) fail('policy hash');
  integer('base', state.base, 0, TRUST_MAX);
  integer('default tier', state.defaultTier, 0, TIER_MAX);
  integer('floor', state.floor, 0, TIER_MAX);
  integer('tier', state.tier, 0, state.defaultTier);
  integer('credit', state.credit, 0, CREDIT_MAX);
  integer('active day', state.activeDay, -1, dayOf(TIME_MAX_MS));
  integer('active days', state.activeDays, 0, EVIDENCE_DAYS);
  time('time', state.tMs);
  time('kept', state.keptMs);
  time('since', state.sinceMs);
  time('ok', state.okMs);
  time('due', state.dueMs);
}

function checkCollections(state: TrustState): void {
  const { evidence, hosts, windows, demotions, controls } = state;
  limit('signals', evidence, SIGNALS_MAX);
  limit('hosts', hosts, HOSTS_MAX);
  limit('windows', windows, WINDOWS_MAX);
  limit('demotions', demotions, DEMOTIONS_MAX);
  limit('control records', controls, CONTROLS_MAX);
  growing(
    'signals',
    evidence.map(({ number }) => number),
    true,
  );
  growing(
    'hosts',
    hosts.map(({ hash }) => hash),
    true,
  );
  growing(
    'windows',
    windows.map(({ number }) => number),
    true,
  );
  growing('demotions', demotions, false);
  for (const { number, mass, tMs, count } of evidence) {
    if (!known.has(number)) fail(`signal ${number}`);
    integer('mass', mass, 0, MASS_MAX);
    time('raised', tMs);
    integer('count', count, 1, INT_MAX);
  }
  for (const { hash, day } of hosts) {
    integer('host hash', hash, 0, 2 * INT_MAX + 1);
    integer('host day', day, 0, dayOf(TIME_MAX_MS));
  }
  for (const { number, slot, current, previous } of windows) {
    if (!known.has(number)) fail(`window ${number}`);
    time('slot', slot);
    integer('window count', current, 0, COUNT_MAX);
    integer('window count', previous, 0, COUNT_MAX);
  }
  checkClasses(state);
  checkOverrides(state);
  for (const demotedMs of demotions) time('demotion', demotedMs);
  for (const control of controls) integer('control', control, 0, 0xffff_ffff_ffff);
}

function checkClasses({ classes }: TrustState): void {
  limit('classes', classes, CLASSES_MAX);
  growing(
    'classes',
    classes.map(({ index }) => index),
    true,
  );
  for (const { index, day } of classes) {
    integer('class', index, 0, CLASSES_MAX - 1);
    integer('class day', day, 0, dayOf(TIME_MAX_MS));
  }
}

function checkOverrides({ overrides }: TrustState): void {
  limit('overrides', overrides, OVERRIDES_MAX);
  for (const { id, tier, permille, fromMs, untilMs } of overrides) {
    if (!/^[0-9a-f]{16}$/.test(id)) fail('override id');
    if (tier !== null) integer('override tier', tier, 0, TIER_MAX);
    if (permille !== null) integer('override factor', permille, 0, PERMILLE_MAX);
    time('override begin', fromMs);
    time('override end', untilMs);
  }
}

/** Avro bytes of a state, at most STATE_BYTES_MAX; equal states have equal bytes. */
export function encodeState(state: TrustState): Buffer {
  checkScalars(state);
  checkCollections(state);
  const { policyHash, ...rest } = state;
  const stored: Stored = { ...rest, policy: Buffer.from(policyHash, 'hex') };
  return encode('Trust', stored);
}

/** Inverse of `encodeState`, for hostile bytes too. Throws `TrustError` BAD_STATE or OVER_LIMIT. */
export function decodeState(bytes: Uint8Array): TrustState {
  if (bytes.length > STATE_BYTES_MAX) throw new TrustError('OVER_LIMIT', `${bytes.length} bytes`);
  const state = plain(decodeStored(bytes));
  checkScalars(state);
  checkCollections(state);
  return state;
}

/** avsc gives instances of classes of its own: states are plain objects, wherever they are from. */
function plain({ policy, ...stored }: Stored): TrustState {
  return {
    ...stored,
    policyHash: Buffer.from(policy).toString('hex'),
    evidence: stored.evidence.map((one) => ({ ...one })),
    hosts: stored.hosts.map((one) => ({ ...one })),
    windows: stored.windows.map((one) => ({ ...one })),
    classes: stored.classes.map((one) => ({ ...one })),
    overrides: stored.overrides.map((one) => ({ ...one })),
  };
}

function decodeStored(bytes: Uint8Array): Stored {
  try {
    return decode('Trust', bytes) as Stored;
  } catch (error) {
    if (!(error instanceof EventError)) throw error;
    throw new TrustError('BAD_STATE', error.message, { cause: error });
  }
}
