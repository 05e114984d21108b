import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { type Config, hostIdentity, openKeys } from '#config';
import {
  EventError,
  encode,
  laneOf,
  type Override,
  type PrincipalKey,
  principalKey,
  safeText,
} from '#event';
import { parseLanePolicy, seal } from '#fold';
import { type Policy, parseCanonical, principalOf } from '#policy';
import { type Store, scanAll } from '#state';
import {
  decodeState,
  defaultModel,
  initialState,
  overrideProblem,
  TIER_NAMES,
  type TrustState,
} from '#trust';
import { appendRecords } from './append.ts';
import { uidOf } from './display.ts';
import { CliError, EXIT } from './exit.ts';
import {
  clearInKernel,
  isLoaded,
  type RaisingVerb,
  raiseInKernel,
  subjectsHere,
} from './kernel.ts';
import { configOf, openLog } from './open.ts';
import { loadPolicy } from './policy-file.ts';
import { findPrincipal } from './principal.ts';
import { formatSpan } from './span.ts';

/** What every verb that overrides takes. */
export interface OverrideOptions {
  readonly reason: string;
  readonly author?: string;
  readonly ticket?: string;
  readonly json?: boolean;
  readonly state?: string;
}

/** Adds the options of every override to a verb. */
export function withOverrideOptions(verb: Command): Command {
  return verb
    .requiredOption('--reason <text>', 'why: it is kept with the override')
    .option('--author <name>', 'who says so, by default who runs this')
    .option('--ticket <id>', 'where it was decided')
    .option('--json', 'one object, as JSON (schema warden.override/1)')
    .option('--state <dir>', 'directory of the log (WARDEN_STATE)');
}

function authorOf({ author }: OverrideOptions): string {
  return author ?? process.env.SUDO_USER ?? userInfo().username;
}

const EMPTY = Buffer.alloc(0);

/** An override with everything that its verb does not need left out. */
export function makeOverride(
  options: OverrideOptions,
  what: Pick<Override, 'verb' | 'principal'> & Partial<Override>,
): Override {
  return {
    id: randomBytes(8).toString('hex'),
    author: authorOf(options),
    reason: options.reason,
    ticket: options.ticket ?? null,
    timeMs: Date.now(),
    untilMs: null,
    signals: [],
    tier: null,
    incident: false,
    now: false,
    permille: null,
    hosts: [],
    commands: [],
    fromMs: null,
    toMs: null,
    label: null,
    lifts: null,
    mac: EMPTY,
    ...what,
  };
}

/** Whom it is about, as far as the log knows. */
export interface Target {
  readonly config: Config;
  readonly principal: PrincipalKey;
  readonly state: TrustState;
  readonly policy: Policy;
}

async function policyIn(store: Store, principal: PrincipalKey): Promise<Policy | null> {
  const stored = await store.get('control', laneOf(principal), 'policy');
  return stored === null ? null : parseCanonical(parseLanePolicy(stored).policy);
}

/** Finds a principal by key or name; one that the log does not know must be written as a key. */
export async function targetOf(wanted: string, options: OverrideOptions): Promise<Target> {
  const config = configOf(options);
  const store = await openLog(config);
  try {
    const known: { principal: string }[] = [];
    for await (const { key } of scanAll(store, 'trust')) known.push({ principal: key });
    const policyHere = loadPolicy(config).policy;
    const principal = keyOf(findPrincipal(wanted, known), policyHere);
    const bytes = await store.get('trust', laneOf(principal), principal);
    const state = bytes === null ? initialState(principal, defaultModel) : decodeState(bytes);
    const policy = (await policyIn(store, principal)) ?? policyHere;
    return { config, principal, state, policy };
  } finally {
    await store.close();
  }
}

/** A key, or the name of a user of this machine who has not used BPF yet. */
function keyOf(text: string, { realms, loaders }: Policy): PrincipalKey {
  const id = uidOf(text);
  const where = { host: hostIdentity(process.env), realms, loaders };
  if (id !== null) return principalOf({ kind: 'uid', id }, where);
  try {
    return principalKey(text);
  } catch (error) {
    if (!(error instanceof EventError)) throw error;
    const next = './warden trust lists them; a key such as uid:1000@web-1 needs not be known yet';
    throw new CliError(EXIT.data, `${text}: no such principal: ${next}`, { cause: error });
  }
}

/** Throws `CliError` where the fold would refuse it. */
export function checkOverride(override: Override, { state, principal }: Target): void {
  const problem = overrideProblem(override, state);
  if (problem !== null) throw new CliError(EXIT.usage, `${principal}: ${problem}`);
}

/** Seals overrides and appends them to `bpf.overrides`, all or none. */
export async function recordAll(overrides: readonly Override[], config: Config): Promise<void> {
  if (overrides.length === 0) return;
  const { control } = openKeys(config.stateDir, { create: [] });
  const outputs = overrides.map((override) => {
    const { principal } = override;
    const value = encode('Override', seal('Override', override, control));
    return { topic: 'bpf.overrides', lane: laneOf(principal), key: principal, value } as const;
  });
  await appendRecords(config, outputs);
}

export async function record(override: Override, { config }: Target): Promise<void> {
  await recordAll([override], config);
}

const KINDS: ReadonlySet<string> = new Set(['pin', 'break_glass', 'observe']);

/** Whether it is warden-load's to give: what raises in the kernel. */
function isKernels({ verb, tier, untilMs }: Override, { state }: Target): boolean {
  if (!KINDS.has(verb) || untilMs === null) return false;
  return verb !== 'pin' || TIER_NAMES.indexOf((tier ?? '') as 'denied') > state.tier;
}

/** What came of it on this host. */
export interface Outcome {
  /** in force; recorded only: nothing is loaded here; elsewhere: no subject of it is here. */
  readonly kernel: 'in force' | 'nothing is loaded here' | 'not of this host' | null;
}

/**
 * Puts an override in force: first in the kernel, where it raises there, then in the log. One that
 * the log does not take is taken back.
 */
export async function giveOverride(
  override: Override,
  target: Target,
  commands: bigint | null = null,
): Promise<Outcome> {
  checkOverride(override, target);
  if (!isKernels(override, target)) {
    await record(override, target);
    return { kernel: null };
  }
  const { config, policy } = target;
  const subjects = subjectsHere(override, policy);
  const kernel = kernelOf(config, subjects.length);
  if (kernel === 'in force') {
    const tier = override.tier === null ? null : TIER_NAMES.indexOf(override.tier as 'denied');
    const forMs = (override.untilMs ?? 0) - override.timeMs;
    raiseInKernel(config, { override, subjects, tier, commands, forMs });
  }
  try {
    await record(override, target);
  } catch (error) {
    // Break-glass is for when nothing else works: the ring has told of it already.
    if (override.verb === 'break_glass') return { kernel };
    if (kernel === 'in force')
      clearInKernel(config, override.verb as RaisingVerb, subjects, override);
    throw error;
  }
  return { kernel };
}

function kernelOf(config: Config, subjects: number): NonNullable<Outcome['kernel']> {
  if (subjects === 0) return 'not of this host';
  return isLoaded(config) ? 'in force' : 'nothing is loaded here';
}

/** Says what was done, in a line or as JSON. */
export function tell(
  override: Override,
  options: OverrideOptions,
  { kernel }: Outcome = { kernel: null },
): void {
  const { id, verb, principal, author, reason, ticket, timeMs, untilMs, tier, signals } = override;
  const until = untilMs === null ? null : new Date(untilMs).toISOString();
  if (options.json === true) {
    const said = { id, verb, principal, author, reason, ticket, until, tier, signals, kernel };
    console.log(JSON.stringify({ schema: 'warden.override/1', ...said }));
    return;
  }
  const end = untilMs === null ? 'until it is lifted' : `for ${formatSpan(untilMs - timeMs)}`;
  const lasting = verb === 'pardon' || verb === 'label' || verb === 'lift' ? '' : ` ${end}`;
  const name = verb.replace('_', '-');
  const what = tier === null ? '' : ` to ${tier}`;
  const inKernel = kernel === null ? '' : `; kernel: ${kernel}`;
  console.log(safeText(`${name} ${principal}${what}${lasting}, id ${id}${inKernel}`));
}
