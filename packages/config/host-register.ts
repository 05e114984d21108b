import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from './config.ts';
import { replaceRegister } from './register-file.ts';

/** A host's keys by generation: until when each opens records, ms since 1970; null: no end. */
type Generations = readonly (number | null)[];

const SCHEMA = 'warden.hosts/1';
const FIRST: Generations = [null];
/** As long as a host keeps what nobody takes: its log may hold frames under the key before. */
const GRACE_MS = 30 * 24 * 3_600_000;
const LOOK_MS = 1000;
const NAME = 'hosts.json';

/** Which generation of a host's key opens a record, and which besides; null: none. */
export interface Valid {
  readonly newest: number | null;
  readonly older: number | null;
}

/**
 * `hosts.json` beside `fleet.key`: which generation of each host's key is valid. A host that is not
 * in it has its first key. Every enricher needs the same file; it is read again when it changes.
 */
export class HostRegister {
  private readonly file: string;
  private hosts = new Map<string, Generations>();
  private mtimeMs = -1;
  private lookedMs = 0;

  /** Throws `ConfigError` for a file that can't be read; none at all is an empty one. */
  constructor(stateDir: string) {
    this.file = join(stateDir, NAME);
    this.read();
  }

  /** What opens a record of this host that the log took in then. */
  validAt(host: string, appendedMs: number): Valid {
    const until = this.hosts.get(host) ?? FIRST;
    const opens = (generation: number) => {
      const end = until[generation];
      return end === null || (end !== undefined && appendedMs < end) ? generation : null;
    };
    return { newest: opens(until.length - 1), older: opens(until.length - 2) };
  }

  /** Every generation that opened a record which the log took in then, newest first. */
  allAt(host: string, appendedMs: number): number[] {
    const until = this.hosts.get(host) ?? FIRST;
    const valid = until.flatMap((end, generation) =>
      end === null || appendedMs < end ? [generation] : [],
    );
    return valid.reverse();
  }

  /** The generation that the host's next key is to have, written down. Throws `ConfigError`. */
  enroll(host: string): number {
    const until = this.hosts.get(host);
    if (until === undefined || until.at(-1) === null) return (until?.length ?? 1) - 1;
    return this.update(host, (now) => (now.at(-1) === null ? now : [...now, null]));
  }

  /** A new generation; the one before opens records for 30 days more. Throws `ConfigError`. */
  rotate(host: string, nowMs: number): number {
    return this.update(host, (until) => {
      if (until.at(-1) !== null) throw new ConfigError(`${host} is revoked: enroll it again`);
      return [...until.slice(0, -1), nowMs + GRACE_MS, null];
    });
  }

  /** From now on no key of the host opens anything. Throws `ConfigError`. */
  revoke(host: string, nowMs: number): void {
    this.update(host, (until) => until.map((end) => Math.min(end ?? nowMs, nowMs)));
  }

  /** Reads the file again if it has changed, at most once a second. Throws `ConfigError`. */
  refresh(nowMs = performance.now()): void {
    if (nowMs - this.lookedMs < LOOK_MS) return;
    this.lookedMs = nowMs;
    this.read();
  }

  private read(): void {
    try {
      const { mtimeMs } = statSync(this.file);
      if (mtimeMs === this.mtimeMs) return;
      const { schema, hosts } = JSON.parse(readFileSync(this.file, 'utf8'));
      if (schema !== SCHEMA) throw new Error(`not a ${SCHEMA} file`);
      const found = Object.entries(hosts as object);
      for (const [host, until] of found) checkGenerations(host, until);
      this.hosts = new Map(found as [string, Generations][]);
      this.mtimeMs = mtimeMs;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      throw new ConfigError(`${this.file}: ${message}`, { cause: error });
    }
  }

  /** Changes one host's generations in what the file has now; returns the newest. */
  private update(host: string, change: (until: Generations) => Generations): number {
    let until = FIRST;
    replaceRegister(this.file, { schema: SCHEMA, mode: 0o600 }, () => {
      this.mtimeMs = -1;
      this.read();
      until = change(this.hosts.get(host) ?? FIRST);
      return new Map(this.hosts).set(host, until);
    });
    this.hosts.set(host, until);
    return until.length - 1;
  }
}

function checkGenerations(host: string, until: unknown): void {
  const isEnd = (end: unknown) => end === null || Number.isSafeInteger(end);
  if (Array.isArray(until) && until.length > 0 && until.every(isEnd)) return;
  throw new Error(`${host}: expected a list of ends, numbers or null`);
}
