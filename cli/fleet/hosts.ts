import Table from 'cli-table3';
import { Heartbeats, type SignedFinding } from '#chain';
import { kafkaConfig, SignerRegister } from '#config';
import { safeText } from '#event';
import { IMPATIENT, KafkaClient, KafkaLog } from '#log/kafka';
import { CliError, EXIT } from '../shared/exit.ts';
import { configOf } from '../shared/open.ts';
import type { FleetOptions } from './options.ts';
import { asCliError } from './serve.ts';
import { recordsOf } from './topic.ts';

export interface HostsOptions extends FleetOptions {
  readonly silent: string;
}

/** running and stopped as the host said last; silent, or never heard of, as we found. */
export type HostState = 'running' | 'stopped' | 'silent' | 'never' | 'revoked';

/** A host of the fleet as its last heartbeat has it; null: there is none. */
export interface HostRow {
  readonly host: string;
  readonly state: HostState;
  /** Since the brokers took its last heartbeat. */
  readonly age_ms: number | null;
  readonly mode: string | null;
  readonly policy: string | null;
  readonly revision: number | null;
  readonly version: string | null;
  readonly boot_id: string | null;
  readonly incarnation: string | null;
  readonly capabilities: readonly string[];
  readonly lag: number | null;
  readonly lost: number | null;
}

/** A forged or repeated heartbeat stays in the topic until the host's next: it is said for long. */
const FINDINGS_MS = 3_600_000;
const FINDINGS_MAX = 20;
const SILENT = { least: 1, most: 86_400 } as const;

function silentMs(text: string): number {
  const seconds = Number(text);
  if (/^\d{1,5}$/.test(text) && seconds >= SILENT.least && seconds <= SILENT.most) {
    return 1000 * seconds;
  }
  const wanted = `expected seconds, ${SILENT.least} to ${SILENT.most}`;
  throw new CliError(EXIT.usage, `--silent ${JSON.stringify(text)}: ${wanted}`);
}

/** The public signing keys of a fleet's hosts. Throws `CliError` where there are none. */
export function signersIn(stateDir: string): SignerRegister {
  const register = new SignerRegister(stateDir);
  if (register.hosts.length > 0) return register;
  const what = `${stateDir}: no signers.json, or nobody in it`;
  const next = 'bring it from where hosts are enrolled, or name the directory with --state';
  throw new CliError(EXIT.config, `${what}: ${next}`);
}

async function readHeartbeats(log: KafkaLog, register: SignerRegister, nowMs: number) {
  const hosts = () => register.hosts;
  const signersOf = (host: string, appendedMs: number) => register.validAt(host, appendedMs);
  const heartbeats = new Heartbeats({ signersOf, hosts });
  const findings: SignedFinding[] = [];
  let bad = 0;
  for await (const record of recordsOf(log, 'bpf.hosts')) {
    const finding = heartbeats.add(record);
    if (finding === null || record.appendedMs <= nowMs - FINDINGS_MS) continue;
    bad += 1;
    if (findings.length < FINDINGS_MAX) findings.push(finding);
  }
  return { last: heartbeats.last, findings, bad };
}

interface Bounds {
  readonly nowMs: number;
  readonly silentMs: number;
}

/** What is known of a host, from the register and its last heartbeat. */
export function rowOf(
  host: string,
  last: Heartbeats['last'],
  register: SignerRegister,
  { nowMs, silentMs }: Bounds,
): HostRow {
  const found = last.get(host);
  const isRevoked = register.validAt(host, nowMs).length === 0;
  const ageMs = found === undefined ? null : Math.max(0, nowMs - found.appendedMs);
  const said = found?.heartbeat ?? null;
  const isSilent = said?.state !== 'stopped' && (ageMs ?? 0) > silentMs;
  return {
    host,
    state: isRevoked ? 'revoked' : isSilent ? 'silent' : (said?.state ?? 'never'),
    age_ms: ageMs,
    mode: said?.mode ?? null,
    policy: said?.policy ?? null,
    revision: said?.revision ?? null,
    version: said?.version ?? null,
    boot_id: said?.bootId ?? null,
    incarnation: said?.incarnation ?? null,
    capabilities: said?.capabilities ?? [],
    lag: said?.lag ?? null,
    lost: said?.lost.reduce((sum, { count }) => sum + count, 0) ?? null,
  };
}

const SHORT = 12;
const HEAD = ['HOST', 'STATE', 'MODE', 'POLICY', 'REVISION', 'LAG', 'LOST', 'VERSION', 'LAST'];

function cellsOf({ host, state, mode, policy, revision, lag, lost, ...row }: HostRow): string[] {
  const last = row.age_ms === null ? '-' : `${Math.round(row.age_ms / 1000)} s ago`;
  const short = policy === null || policy === '' ? '-' : policy.slice(0, SHORT);
  const numbers = [revision, lag, lost].map((number) => `${number ?? '-'}`);
  return [host, state, mode ?? '-', short, ...numbers, row.version ?? '-', last].map(safeText);
}

function print(rows: readonly HostRow[], findings: readonly SignedFinding[], bad: number): void {
  const table = new Table({ head: HEAD, style: { head: [], border: [], compact: true } });
  for (const row of rows) table.push(cellsOf(row));
  console.log(table.toString());
  for (const { offset, code, key, detail } of findings) {
    console.log(safeText(`heartbeat ${offset} of ${key}: ${code}: ${detail}`));
  }
  if (bad > findings.length) console.log(`and ${bad - findings.length} more`);
}

async function readAll(options: HostsOptions, register: SignerRegister, nowMs: number) {
  const client = new KafkaClient(
    kafkaConfig(options, process.env, 'warden-hosts'),
    null,
    IMPATIENT,
  );
  const log = new KafkaLog(client);
  try {
    return await readHeartbeats(log, register, nowMs);
  } catch (error) {
    throw asCliError(error);
  } finally {
    await log.close();
  }
}

/** Lists the hosts of a fleet. Exit code 1: one is silent, or a heartbeat is not what it says. */
export async function list(options: HostsOptions): Promise<void> {
  const bound = silentMs(options.silent);
  const register = signersIn(configOf(options).stateDir);
  const nowMs = Date.now();
  const { last, findings, bad } = await readAll(options, register, nowMs);
  const bounds = { nowMs, silentMs: bound };
  const rows = register.hosts.map((host) => rowOf(host, last, register, bounds));
  const ok = bad === 0 && rows.every(({ state }) => !/^(silent|never)$/.test(state));
  if (options.json === true) {
    const said = { ok, hosts: rows, bad, findings };
    console.log(JSON.stringify({ schema: 'warden.host-list/1', ...said }));
  } else print(rows, findings, bad);
  process.exitCode = ok ? EXIT.ok : EXIT.findings;
}
