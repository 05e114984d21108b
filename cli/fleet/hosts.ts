import Table from 'cli-table3';
import { Heartbeats, type SignedFinding, type StoredRecord } from '#chain';
import { kafkaConfig, SignerRegister } from '#config';
import { safeText } from '#event';
import { IMPATIENT, KafkaClient, KafkaLog } from '#log/kafka';
import { CliError, EXIT } from '../shared/exit.ts';
import { asCliError } from '../shared/log-error.ts';
import { configOf } from '../shared/open.ts';
import { Findings } from '../shared/verified.ts';
import type { FleetOptions } from './options.ts';
import { extentOf, learnSchemas, recordsOf } from './topic.ts';

export interface HostsOptions extends FleetOptions {
  readonly silent: string;
  readonly stoppedOk?: string;
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
  /** Of the last checkpoint that the brokers acknowledged to it. */
  readonly checkpoint: number | null;
  /** Whether it is as it should be: watched, revoked, or stopped as it may be. */
  readonly ok: boolean;
}

/** A forged or repeated heartbeat stays in the topic until the host's next: it is said for long. */
const FINDINGS_MS = 3_600_000;
/** Records of a host that are looked at, its last ones: compaction keeps one, soon or late. */
const LATEST = 16;
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

export interface Said {
  readonly heartbeats: Heartbeats;
  readonly findings: readonly (SignedFinding & { readonly appendedMs: number })[];
  /** Records under names that nobody has enrolled. */
  readonly unknown: number;
}

/**
 * What hosts say of themselves: of a long topic only the last records of each that is known. Where
 * none of those is the host's own, somebody may have written them to hide it: all are looked at.
 */
export async function readHeartbeats(log: KafkaLog, register: SignerRegister): Promise<Said> {
  const latest = new Map<string, StoredRecord[]>(register.hosts.map((host) => [host, []]));
  const extent = await extentOf(log, 'bpf.hosts');
  const cut = new Set<string>();
  let unknown = 0;
  for await (const record of recordsOf(log, extent)) {
    const kept = latest.get(record.key);
    if (kept === undefined) unknown += 1;
    else if (kept.push(record) > LATEST) {
      kept.shift();
      cut.add(record.key);
    }
  }
  const signersOf = (host: string, appendedMs: number) => register.validAt(host, appendedMs);
  const heartbeats = new Heartbeats({ signersOf, hosts: () => register.hosts });
  const findings = [...latest.values()].flat().flatMap((record) => {
    const finding = heartbeats.add(record);
    return finding === null ? [] : [{ ...finding, appendedMs: record.appendedMs }];
  });
  const hidden = new Set([...cut].filter((host) => !heartbeats.last.has(host)));
  if (hidden.size > 0) {
    for await (const record of recordsOf(log, extent)) {
      if (hidden.has(record.key)) heartbeats.add(record);
    }
  }
  return { heartbeats, findings, unknown };
}

interface Bounds {
  readonly nowMs: number;
  readonly silentMs: number;
  /** Hosts that may be stopped, or have nothing loaded. */
  readonly stoppedOk: ReadonlySet<string>;
}

/** A host that runs with nothing loaded is watched by nobody, like one that is stopped. */
function isOk(state: HostState, mode: string | null, mayStop: boolean): boolean {
  if (state === 'revoked') return true;
  if (state === 'running' && mode !== 'none') return true;
  return mayStop && (state === 'running' || state === 'stopped');
}

/** What is known of a host, from the register and its last heartbeat. */
export function rowOf(
  host: string,
  last: Heartbeats['last'],
  register: SignerRegister,
  { nowMs, silentMs, stoppedOk }: Bounds,
): HostRow {
  const found = last.get(host);
  const isRevoked = register.validAt(host, nowMs).length === 0;
  const ageMs = found === undefined ? null : Math.max(0, nowMs - found.appendedMs);
  const said = found?.heartbeat ?? null;
  const isSilent = said?.state !== 'stopped' && (ageMs ?? 0) > silentMs;
  const state = isRevoked ? 'revoked' : isSilent ? 'silent' : (said?.state ?? 'never');
  return {
    host,
    state,
    ok: isOk(state, said?.mode ?? null, stoppedOk.has(host)),
    age_ms: ageMs,
    mode: said?.mode ?? null,
    policy: said?.policy ?? null,
    revision: said?.revision ?? null,
    version: said?.version ?? null,
    boot_id: said?.bootId ?? null,
    incarnation: said?.incarnation ?? null,
    capabilities: said?.capabilities ?? [],
    lag: said?.lag ?? null,
    checkpoint: said?.checkpoint ?? null,
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

interface Listed {
  readonly rows: readonly HostRow[];
  readonly findings: Findings<SignedFinding>;
  readonly unknown: number;
}

function print({ rows, findings, unknown }: Listed): void {
  const table = new Table({ head: HEAD, style: { head: [], border: [], compact: true } });
  for (const row of rows) table.push(cellsOf(row));
  console.log(table.toString());
  findings.print(({ offset, code, key, detail }) => {
    return `heartbeat ${offset} of ${key}: ${code}: ${detail}`;
  });
  if (unknown > 0) console.log(`${unknown} records under names that nobody has enrolled`);
}

async function readAll(options: HostsOptions, register: SignerRegister): Promise<Said> {
  const client = new KafkaClient(
    kafkaConfig(options, process.env, 'warden-hosts'),
    null,
    IMPATIENT,
  );
  const log = new KafkaLog(client);
  try {
    await learnSchemas(client);
    return await readHeartbeats(log, register);
  } catch (error) {
    throw asCliError(error);
  } finally {
    await log.close();
  }
}

/** Lists the hosts of a fleet. Exit code 1: one is not watched, or a heartbeat is forged. */
export async function list(options: HostsOptions): Promise<void> {
  const bound = silentMs(options.silent);
  const register = signersIn(configOf(options).stateDir);
  const nowMs = Date.now();
  const { heartbeats, findings: all, unknown } = await readAll(options, register);
  const stoppedOk = new Set((options.stoppedOk ?? '').split(','));
  const bounds = { nowMs, silentMs: bound, stoppedOk };
  const rows = register.hosts.map((host) => rowOf(host, heartbeats.last, register, bounds));
  const findings = new Findings<SignedFinding>();
  for (const { appendedMs, ...finding } of all) {
    if (appendedMs > nowMs - FINDINGS_MS) findings.add(finding);
  }
  const ok = findings.count === 0 && rows.every((row) => row.ok);
  if (options.json === true) {
    const { count: bad, ...found } = findings.toJSON();
    const said = { ok, hosts: rows, bad, ...found, unknown };
    console.log(JSON.stringify({ schema: 'warden.host-list/1', ...said }));
  } else print({ rows, findings, unknown });
  process.exitCode = ok ? EXIT.ok : EXIT.findings;
}
