import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { STAGES, type Stage } from '#event';
import { hashPolicy, type Policy, parsePolicy } from '#policy';
import { CliError, EXIT } from './exit.ts';

/** A policy as it was applied, without its text. `reason` and the rest are who, why and since. */
export interface Application {
  readonly hash: string;
  readonly stage: Stage;
  /** Of the hosts, while it is a canary. */
  readonly percent: number;
  readonly author: string;
  readonly reason: string;
  readonly ticket: string | null;
  /** When this stage began, ms since 1970. */
  readonly timeMs: number;
  /** Hash of the policy that was in force before; null: the built-in one. */
  readonly previous: string | null;
  /** Whose key signed; null: root's word. */
  readonly operator: string | null;
  /** Hex. */
  readonly signature: string | null;
}

/** The policy of this host. */
export interface Applied extends Application {
  /** As its author wrote it. */
  readonly text: string;
}

/** Where the policy of this host is kept: WARDEN_ETC, else /etc/warden. */
export function etcDir(): string {
  return process.env.WARDEN_ETC ?? '/etc/warden';
}

const fileIn = (dir: string): string => join(dir, 'applied.json');
const historyIn = (dir: string): string => join(dir, 'history');
const recordsIn = (dir: string): string => join(historyIn(dir), 'records.jsonl');

function failed(file: string, error: unknown): CliError {
  const { code, message } = error as NodeJS.ErrnoException;
  const isDenied = code === 'EACCES' || code === 'EPERM';
  const next = isDenied ? 'only root: run it with sudo' : message;
  return new CliError(isDenied ? EXIT.noPermission : EXIT.config, `${file}: ${next}`, {
    cause: error,
  });
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw failed(file, error);
  }
}

function isApplication(value: unknown): value is Application {
  const one = value as Readonly<Record<string, unknown>> | null;
  const isText = (key: string, orNull = false): boolean =>
    typeof one?.[key] === 'string' || (orNull && one?.[key] === null);
  return (
    typeof value === 'object' &&
    /^[0-9a-f]{64}$/.test(String(one?.hash)) &&
    (STAGES as readonly unknown[]).includes(one?.stage) &&
    Number.isInteger(one?.percent) &&
    Number.isInteger(one?.timeMs) &&
    ['author', 'reason'].every((key) => isText(key)) &&
    ['ticket', 'previous', 'operator', 'signature'].every((key) => isText(key, true))
  );
}

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(EXIT.config, `${file}: not JSON: apply a policy again`, { cause: error });
  }
}

/** The policy that was applied on this host; null: none. Throws `CliError`. */
export function readApplied(dir = etcDir()): (Applied & { readonly policy: Policy }) | null {
  const file = fileIn(dir);
  const text = read(file);
  if (text === null) return null;
  const value = parse(file, text);
  if (!isApplication(value) || typeof (value as { text?: unknown }).text !== 'string') {
    throw new CliError(EXIT.config, `${file}: not a record of a policy: apply one again`);
  }
  const applied = value as Applied;
  const parsed = parsePolicy(applied.text, file);
  if (!parsed.ok || hashPolicy(parsed.policy) !== applied.hash) {
    const what = parsed.ok ? 'it holds another policy than it says' : 'its policy is not readable';
    throw new CliError(EXIT.config, `${file}: ${what}: apply a policy again`);
  }
  return { ...applied, policy: parsed.policy };
}

/** Writes a file beside, then puts it in place: a reader finds the old or the new one, whole. */
function replace(file: string, text: string): void {
  const beside = `${file}.next`;
  rmSync(beside, { force: true });
  writeFileSync(beside, text, { mode: 0o600, flag: 'wx' });
  renameSync(beside, file);
}

function makeRoom(dir: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  mkdirSync(historyIn(dir), { recursive: true, mode: 0o700 });
  chmodSync(historyIn(dir), 0o700);
}

/** Keeps the text of a policy, so that there is a way back to it. Throws `CliError`. */
export function keepText(hash: string, text: string, dir = etcDir()): void {
  try {
    makeRoom(dir);
    replace(join(historyIn(dir), `${hash}.yaml`), text);
  } catch (error) {
    throw failed(dir, error);
  }
}

/** Adds to the history what has come to count. Throws `CliError`. */
export function keepRecord({ text: _text, ...record }: Applied, dir = etcDir()): void {
  try {
    appendFileSync(recordsIn(dir), `${JSON.stringify(record)}\n`, { mode: 0o600 });
  } catch (error) {
    throw failed(dir, error);
  }
}

/** Makes it the policy of this host from the next start on. Throws `CliError`. */
export function writeApplied(applied: Applied, dir = etcDir()): void {
  const text = JSON.stringify({ schema: 'warden.applied/1', ...applied }, null, 2);
  try {
    makeRoom(dir);
    replace(fileIn(dir), `${text}\n`);
  } catch (error) {
    throw failed(dir, error);
  }
}

/** What was applied on this host, oldest first. Throws `CliError`. */
export function readHistory(dir = etcDir()): readonly Application[] {
  const file = recordsIn(dir);
  const lines = (read(file) ?? '').split('\n').filter((line) => line !== '');
  return lines.map((line) => parse(file, line)).filter(isApplication);
}

/** Text of a policy that was applied once. Throws `CliError`. */
export function readPast(hash: string, dir = etcDir()): string {
  const file = join(historyIn(dir), `${hash}.yaml`);
  const text = existsSync(historyIn(dir)) ? read(file) : null;
  if (text !== null) return text;
  throw new CliError(
    EXIT.data,
    `${file}: not there: ./warden policy history lists what was applied`,
  );
}
