import Table from 'cli-table3';
import type { Command } from 'commander';
import { decode, laneOf, MICRO, type PrincipalKey, safeText } from '#event';
import { type Store, scanAll } from '#state';
import {
  type Contributions,
  contributions,
  decodeState,
  effectiveTier,
  lowerThreshold,
  type Model,
  raiseThreshold,
  TIER_NAMES,
  type Tier,
  type TrustState,
} from '#trust';
import { displayNames } from './shared/display.ts';
import { CliError, EXIT } from './shared/exit.ts';
import { laneModels } from './shared/models.ts';
import { configOf, openLog } from './shared/open.ts';
import { findPrincipal } from './shared/principal.ts';

const PAGE = 1000;
/** Events shown for each signal, newest last. */
const EVENTS_MAX = 5;

interface Explained {
  readonly principal: string;
  readonly atMs: number;
  readonly state: TrustState;
  readonly model: Model;
  readonly parts: Contributions;
  /** Ids of the latest events that raised each signal. */
  readonly events: ReadonlyMap<string, readonly string[]>;
}

async function keysOf(store: Store): Promise<{ principal: string }[]> {
  const found: { principal: string }[] = [];
  for await (const { key } of scanAll(store, 'trust')) found.push({ principal: key });
  return found;
}

async function eventsOf(store: Store, principal: string): Promise<Map<string, string[]>> {
  const topic = { topic: 'bpf.signals', partition: 0 } as const;
  const events = new Map<string, string[]>();
  let next = await store.log.start(topic);
  for (;;) {
    const records = await store.log.read(topic, next, { records: PAGE, bytes: 1 << 20 });
    for (const { key, value } of records) {
      if (key !== principal) continue;
      const signal = decode('Signal', value);
      for (const { id } of signal.signals) {
        events.set(id, [...(events.get(id) ?? []), signal.event].slice(-EVENTS_MAX));
      }
    }
    const last = records.at(-1);
    if (last === undefined) return events;
    next = last.offset + 1;
  }
}

async function gather(store: Store, wanted: string): Promise<Explained> {
  const principal = findPrincipal(wanted, await keysOf(store));
  const lane = laneOf(principal as PrincipalKey);
  const bytes = await store.get('trust', lane, principal);
  if (bytes === null) {
    throw new CliError(EXIT.data, `${wanted}: no such principal: ./warden trust lists them`);
  }
  const state = decodeState(bytes);
  const atMs = Math.max(Date.now(), state.tMs);
  const model = (await laneModels(store))(lane);
  const parts = contributions(state, atMs, model);
  return { principal, atMs, state, model, parts, events: await eventsOf(store, principal) };
}

const points = (micro: number) => (micro / MICRO).toFixed(6);
const iso = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;

/** Trust as a sum that adds up exactly; each line in micro-points. */
function terms({ parts }: Explained): { label: string; micro: number }[] {
  const { base, credit, signals, cuts, floorCut, clamped } = parts;
  return [
    { label: 'base', micro: base },
    { label: 'credit for clean days', micro: credit },
    ...signals.map(({ id, mass }) => ({ label: id, micro: -mass })),
    ...cuts.map(({ category, cut }) => ({ label: `cap of ${category}`, micro: cut })),
    { label: 'noise floor', micro: floorCut },
    { label: 'limits 0 and 100', micro: clamped },
  ].filter(({ micro, label }) => micro !== 0 || label === 'base');
}

function thresholds({ state }: Explained) {
  const tier = effectiveTier(state);
  const up = tier >= state.defaultTier ? null : raiseThreshold((tier + 1) as Tier);
  return { down: tier === 0 ? null : lowerThreshold(tier), up };
}

function toJson(explained: Explained) {
  const { principal, atMs, state, parts, events } = explained;
  const { down, up } = thresholds(explained);
  return {
    schema: 'warden.explain/1',
    principal,
    at: iso(atMs),
    tier: TIER_NAMES[effectiveTier(state)],
    default_tier: TIER_NAMES[state.defaultTier],
    trust_micropoints: parts.trust,
    terms: terms(explained).map(({ label, micro }) => ({ label, micropoints: micro })),
    signals: parts.signals.map((signal) => ({
      id: signal.id,
      category: signal.category,
      mass_micropoints: signal.mass,
      weight_micropoints: signal.weight,
      count: signal.count,
      age_ms: signal.ageMs,
      half_life_ms: signal.halfLifeMs,
      events: events.get(signal.id) ?? [],
    })),
    lowered_below_micropoints: down,
    raised_from_micropoints: up,
    next_change: state.dueMs === null ? null : iso(state.dueMs),
    policy: state.policyHash,
    model: state.modelVersion,
  };
}

function print(explained: Explained): void {
  const { principal, state, parts, events } = explained;
  const name = displayNames()(principal);
  const tier = TIER_NAMES[effectiveTier(state)];
  console.log(safeText(name === principal ? name : `${name} (${principal})`));
  console.log(`trust ${points(parts.trust)}, tier ${tier}, at ${iso(explained.atMs)}\n`);
  const sum = new Table({
    style: { head: [], border: [], compact: true },
    colAligns: ['left', 'right'],
  });
  for (const { label, micro } of terms(explained)) sum.push([label, points(micro)]);
  sum.push(['= trust', points(parts.trust)]);
  console.log(sum.toString());
  for (const { id, count, ageMs, halfLifeMs, weight } of parts.signals) {
    const days = (ms: number) => `${(ms / 86_400_000).toFixed(1)} d`;
    const raised = `weight ${points(weight)}, raised ${count} times, last ${days(ageMs)} ago`;
    console.log(`\n${id}: ${raised}, half-life ${days(halfLifeMs)}`);
    for (const event of events.get(id) ?? []) console.log(`  ${safeText(event)}`);
  }
  const { down, up } = thresholds(explained);
  console.log('');
  if (down !== null) console.log(`lowered when trust falls below ${points(down)}`);
  if (up !== null) console.log(`raised when trust holds ${points(up)} for its dwell`);
  if (state.dueMs !== null) console.log(`next change if nothing happens: ${iso(state.dueMs)}`);
  console.log(`policy ${state.policyHash}, model trust/${state.modelVersion}`);
}

async function explain(principal: string, options: { json?: boolean; state?: string }) {
  const config = configOf(options);
  const store = await openLog(config);
  try {
    const explained = await gather(store, principal);
    if (config.json) console.log(JSON.stringify(toJson(explained)));
    else print(explained);
  } finally {
    await store.close();
  }
}

export function explainVerb(program: Command): void {
  program
    .command('explain <principal>')
    .description("a principal's trust as a sum that adds up, with the events behind it")
    .option('--json', 'one object, as JSON (schema warden.explain/1)')
    .option('--state <dir>', 'directory of the log (WARDEN_STATE)')
    .addHelpText('after', '\nExample:\n  $ ./warden explain root')
    .action(explain);
}
