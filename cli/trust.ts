import Table from 'cli-table3';
import type { Command } from 'commander';
import { MICRO, safeText } from '#event';
import { type Entry, type Store, scanAll } from '#state';
import { contributions, decodeState, effectiveTier, TIER_NAMES } from '#trust';
import { displayNames } from './shared/display.ts';
import { CliError, EXIT } from './shared/exit.ts';
import { guardState, guardTrouble } from './shared/guard-state.ts';
import { laneModels, type ModelOf } from './shared/models.ts';
import { configOf, openLog } from './shared/open.ts';
import { findPrincipal } from './shared/principal.ts';

interface Scored {
  readonly principal: string;
  readonly trust: number;
  readonly tier: string;
  /** What evidence alone comes to. */
  readonly computed: string;
  /** Kinds of overrides in force. */
  readonly overrides: readonly string[];
  readonly signals: readonly string[];
  readonly lastMs: number;
  readonly dueMs: number | null;
}

function score({ key, lane, value }: Entry, modelOf: ModelOf, nowMs: number): Scored {
  const state = decodeState(value);
  const atMs = Math.max(nowMs, state.tMs);
  const { trust, signals } = contributions(state, atMs, modelOf(lane));
  return {
    principal: key,
    trust,
    tier: TIER_NAMES[effectiveTier(state)],
    computed: TIER_NAMES[state.tier],
    overrides: state.overrides.map(({ kind }) => kind.replace('_', '-')),
    signals: signals.filter(({ mass }) => mass > 0).map(({ id }) => id),
    lastMs: state.tMs,
    dueMs: state.dueMs,
  };
}

async function scores(store: Store): Promise<Scored[]> {
  const modelOf = await laneModels(store);
  const nowMs = Date.now();
  const found: Scored[] = [];
  for await (const entry of scanAll(store, 'trust')) found.push(score(entry, modelOf, nowMs));
  return found.sort((a, b) => a.trust - b.trust || (a.principal < b.principal ? -1 : 1));
}

const iso = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;

function toJson(scored: Scored) {
  const { principal, trust, tier, computed, overrides, signals, lastMs, dueMs } = scored;
  return {
    schema: 'warden.trust/1',
    principal,
    trust: trust / MICRO,
    tier,
    computed_tier: computed,
    overrides,
    signals,
    last_act: iso(lastMs),
    next_change: dueMs === null ? null : iso(dueMs),
  };
}

function table(found: readonly Scored[]): string {
  if (found.length === 0) return 'nobody has used BPF yet';
  const display = displayNames();
  const rows = new Table({
    head: ['PRINCIPAL', 'TRUST', 'TIER', 'SIGNALS, OVERRIDES', 'LAST ACT', 'NEXT CHANGE'],
    style: { head: [], border: [], compact: true },
  });
  for (const { principal, trust, tier, computed, overrides, signals, lastMs, dueMs } of found) {
    const name = display(principal);
    rows.push([
      safeText(name === principal ? name : `${name} (${principal})`),
      (Math.floor(trust / 10_000) / 100).toFixed(2),
      tier === computed ? tier : `${tier} (${computed})`,
      [...signals, ...overrides].join(' ') || '-',
      iso(lastMs),
      dueMs === null ? '-' : iso(dueMs),
    ]);
  }
  return rows.toString();
}

async function trust(principal: string | undefined, options: { json?: boolean; state?: string }) {
  const config = configOf(options);
  const store = await openLog(config);
  try {
    const everybody = await scores(store);
    const wanted = principal === undefined ? null : findPrincipal(principal, everybody);
    const found = wanted === null ? everybody : everybody.filter((s) => s.principal === wanted);
    if (wanted !== null && found.length === 0) {
      throw new CliError(EXIT.data, `${wanted}: no such principal: ./warden trust lists them`);
    }
    const trouble = guardTrouble(guardState(config.runDir));
    if (trouble !== null) process.stderr.write(`warden: ${trouble}: ./warden doctor\n`);
    if (config.json) for (const scored of found) console.log(JSON.stringify(toJson(scored)));
    else console.log(table(found));
  } finally {
    await store.close();
  }
}

export function trustVerb(program: Command): void {
  program
    .command('trust [principal]')
    .description('how far each principal is trusted now, the least trusted first')
    .option('--json', 'one principal a line, as JSON (schema warden.trust/1)')
    .option('--state <dir>', 'directory of the log (WARDEN_STATE)')
    .addHelpText('after', '\nExample:\n  $ ./warden trust --json | jq "select(.trust < 75)"')
    .action(trust);
}
