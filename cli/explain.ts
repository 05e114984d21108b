import type { Command } from 'commander';
import { type Config, hostIdentity } from '#config';
import { laneOf, type Override, type PrincipalKey, principalKey } from '#event';
import { type History, historyOf, parseLanePolicy } from '#fold';
import { type Policy, parseCanonical, subjectsOf } from '#policy';
import { type Store, scanAll } from '#state';
import { contributions, decodeState } from '#trust';
import { CliError, EXIT } from './shared/exit.ts';
import { type Explained, print, toJson } from './shared/explained.ts';
import { kernelView } from './shared/kernel-view.ts';
import { laneModels } from './shared/models.ts';
import { configOf, openLog } from './shared/open.ts';
import { findPrincipal } from './shared/principal.ts';
import { parseInstant } from './shared/span.ts';

interface ExplainOptions {
  readonly at?: string;
  readonly json?: boolean;
  readonly state?: string;
}

async function keysOf(store: Store): Promise<{ principal: string }[]> {
  const found: { principal: string }[] = [];
  for await (const { key } of scanAll(store, 'trust')) found.push({ principal: key });
  return found;
}

function unknown(wanted: string): CliError {
  return new CliError(EXIT.data, `${wanted}: no such principal: ./warden trust lists them`);
}

async function keyOf(store: Store, wanted: string): Promise<PrincipalKey> {
  const principal = findPrincipal(wanted, await keysOf(store));
  try {
    return principalKey(principal);
  } catch {
    throw unknown(wanted);
  }
}

type Common = Pick<Explained, 'principal' | 'events' | 'said' | 'complete'>;

function commonOf(principal: string, history: History, complete: boolean): Common {
  const said: ReadonlyMap<string, Override> = history.overrides;
  return { principal, events: history.events, said, complete };
}

async function policyOf(store: Store, principal: PrincipalKey): Promise<Policy | null> {
  const stored = await store.get('control', laneOf(principal), 'policy');
  return stored === null ? null : parseCanonical(parseLanePolicy(stored).policy);
}

/** How things stood at a time: the history up to it, folded again. */
async function explainThen(store: Store, wanted: string, atMs: number): Promise<Explained> {
  const principal = await keyOf(store, wanted);
  const { history, complete } = await historyOf(store.log, principal, atMs);
  const { state, model } = history;
  if (state === null) {
    const time = new Date(atMs).toISOString();
    throw new CliError(EXIT.data, `${wanted}: nothing is known of it before ${time}`);
  }
  const parts = contributions(state, Math.max(atMs, state.tMs), model);
  const common = commonOf(principal, history, complete);
  return { ...common, atMs, state, model, parts, policy: null, kernel: null, lag: null };
}

async function lagOf(store: Store): Promise<number> {
  const end = await store.log.end({ topic: 'bpf.tiers', partition: 0 });
  return end - Number((await store.position('enforcer/bpf.tiers/0')) ?? 0n);
}

/** How things stand: the state that is enforced, and the kernel's maps. */
async function explainNow(store: Store, wanted: string, config: Config): Promise<Explained> {
  const principal = await keyOf(store, wanted);
  const lane = laneOf(principal);
  const bytes = await store.get('trust', lane, principal);
  if (bytes === null) throw unknown(wanted);
  const state = decodeState(bytes);
  const atMs = Math.max(Date.now(), state.tMs);
  const model = (await laneModels(store))(lane);
  const parts = contributions(state, atMs, model);
  const { history, complete } = await historyOf(store.log, principal, atMs);
  const policy = await policyOf(store, principal);
  const where = { host: hostIdentity(process.env), ...rulesOf(policy) };
  const kernel = kernelView(config, subjectsOf(principal, where));
  const lag = await lagOf(store);
  const common = commonOf(principal, history, complete);
  return { ...common, atMs, state, model, policy, parts, kernel, lag };
}

function rulesOf(policy: Policy | null): Pick<Policy, 'realms' | 'loaders'> {
  return policy ?? { realms: [], loaders: [] };
}

async function explain(principal: string, options: ExplainOptions): Promise<void> {
  const config = configOf(options);
  const atMs = options.at === undefined ? null : parseInstant('--at', options.at);
  const store = await openLog(config);
  try {
    const explained =
      atMs === null
        ? await explainNow(store, principal, config)
        : await explainThen(store, principal, atMs);
    if (config.json) console.log(JSON.stringify(toJson(explained)));
    else print(explained);
  } finally {
    await store.close();
  }
}

export function explainVerb(program: Command): void {
  program
    .command('explain <principal>')
    .description("why a principal stands where it does: its trust as a sum, and what's in force")
    .option('--at <time>', 'how it stood then, such as 2026-11-23T09:14Z')
    .option('--json', 'one object, as JSON (schema warden.explain/1)')
    .option('--state <dir>', 'directory of the log (WARDEN_STATE)')
    .addHelpText(
      'after',
      '\nExamples:\n  $ ./warden explain root\n' +
        '  $ ./warden explain uid:1000@web-1 --at 2026-11-23T09:14Z',
    )
    .action(explain);
}
