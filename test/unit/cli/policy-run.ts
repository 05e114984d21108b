import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { Command } from 'commander';
import { type Enriched, type Event, encode, laneOf, type Override, principalKey } from '#event';
import type { Output } from '#log';
import { openSqliteStore } from '#state';
import { type Placed, place } from '#testkit';
import { policyVerb } from '../../../cli/policy.ts';
import { CliError } from '../../../cli/shared/exit.ts';

/** What a verb said, and its exit code. */
export interface Said {
  readonly code: number;
  readonly out: string;
  readonly lines: readonly string[];
}

/** A machine with a directory of policies of its own. */
export class Machine {
  readonly place: Placed;

  constructor(name: string) {
    this.place = place(name);
    process.env.WARDEN_ETC = join(this.place.root, 'etc');
    process.env.WARDEN_RUN = this.place.run;
    process.env.WARDEN_STATE = this.place.state;
    process.env.WARDEN_HOST = 'web-1';
    mkdirSync(this.place.state);
  }

  file(name: string, text: string): string {
    const file = join(this.place.root, name);
    writeFileSync(file, text);
    return file;
  }

  /** Runs a policy verb in this process, as `./warden policy ...` does. */
  async run(...args: readonly string[]): Promise<Said> {
    const told: string[] = [];
    const { log } = console;
    const write = process.stdout.write;
    console.log = (text: string) => void told.push(`${text}\n`);
    process.stdout.write = ((text: string) => told.push(text) > 0) as typeof write;
    const before = process.exitCode;
    process.exitCode = 0;
    try {
      const program = new Command('warden').exitOverride();
      policyVerb(program);
      await program.parseAsync(['node', 'warden', 'policy', ...args]);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      told.push(`${error.message}\n`);
      process.exitCode = error.exitCode;
    } finally {
      console.log = log;
      process.stdout.write = write;
    }
    const code = Number(process.exitCode);
    process.exitCode = before;
    const out = stripVTControlCharacters(told.join(''));
    return { code, out, lines: out.trimEnd().split('\n') };
  }

  /** Makes a log, or adds to it. */
  async record(outputs: readonly Output[]): Promise<void> {
    const store = await openSqliteStore(this.place.database);
    await store.commit({ outputs, state: [], position: [] });
    await store.close();
  }
}

interface Act {
  readonly principal: string;
  readonly timeMs: number;
  readonly command?: string;
  readonly type?: string;
  readonly helpers?: readonly string[];
  readonly decision?: string;
  readonly rule?: string | null;
  readonly count?: number;
}

const PROGRAM = {
  id: null,
  name: null,
  license: null,
  signature: 'none',
  instructions: null,
  sha256: null,
  tag: null,
  attach: null,
  kfuncs: [],
  maps: [],
  owner: null,
  claimed: false,
} as const;

/** An act as the log has it. */
export function acted(act: Act): Output {
  const principal = principalKey(act.principal);
  const { command = 'PROG_LOAD', type = 'KPROBE', helpers = [] } = act;
  const { decision = 'allow', rule = null } = act;
  const event: Event = {
    timeUs: act.timeMs * 1000,
    principal,
    subject: null,
    loader: null,
    process: null,
    act: { command, via: 'bpf', result: 3, errno: null, count: act.count ?? 1 },
    program: { ...PROGRAM, type, helpers },
    map: null,
    link: null,
    path: null,
    verdict: { decision, rule, enforced: false, mode: 'lsm', by: 'subject' },
    details: [],
  };
  const enriched: Enriched = {
    host: 'web-1',
    incarnation: '0'.repeat(16),
    lane: 0,
    sequence: 0,
    event: encode('Event', event),
    trustBefore: 65_000_000,
    trustAfter: 65_000_000,
    tier: 'standard',
    signals: [],
  };
  const value = encode('Enriched', enriched);
  return { topic: 'bpf.enriched', lane: laneOf(principal), key: principal, value };
}

/** An operator's word on what somebody was. */
export function labelled(name: string, label: 'tp' | 'fp'): Output {
  const principal = principalKey(name);
  const override: Override = {
    id: '1'.repeat(16),
    verb: 'label',
    principal,
    author: 'alice',
    reason: 'looked at',
    ticket: null,
    timeMs: 0,
    untilMs: null,
    signals: [],
    tier: null,
    incident: false,
    now: false,
    permille: null,
    hosts: [],
    commands: [],
    fromMs: 0,
    toMs: 1,
    label,
    lifts: null,
    mac: Buffer.alloc(0),
  };
  const value = encode('Override', override);
  return { topic: 'bpf.overrides', lane: laneOf(principal), key: principal, value };
}
