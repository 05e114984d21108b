import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import type { EventJson } from '#event';
import type { Placed } from './place.ts';
import { descendants, killTree, waitFor } from './processes.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const LOADER = resolve(ROOT, 'bpf/build/warden-load');

export interface WardenOptions {
  readonly place: Placed;
  readonly policy?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds to wait for the first event. */
  readonly readyMs?: number;
}

/** A whole instance as a user starts it, in a place of its own: `./warden up --json`. */
export class Warden {
  readonly place: Placed;
  private readonly child: ChildProcess;
  private readonly chunks: string[] = [];
  private stdoutText = '';
  /** Arrival of each line, ms since 1970. */
  readonly arrivals: number[] = [];
  private ended: { code: number | null; signal: NodeJS.Signals | null } | null = null;
  private readonly end: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  private constructor(options: WardenOptions) {
    const { place, policy, args = [], env = {} } = options;
    this.place = place;
    this.child = spawn(
      resolve(ROOT, 'warden'),
      ['up', '--json', '--state', place.state, ...(policy ? ['--policy', policy] : []), ...args],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...ownPlace(place), WARDEN_LOG_LEVEL: 'warn', ...env },
      },
    );
    this.child.stdout?.on('data', (chunk: Buffer) => this.take(chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => this.chunks.push(chunk.toString()));
    this.end = new Promise((done) => {
      this.child.on('close', (code, signal) => {
        this.ended = { code, signal };
        done(this.ended);
      });
    });
  }

  /** Notes when each line was complete: what a person would have seen when. */
  private take(text: string): void {
    this.stdoutText += text;
    const atMs = Date.now();
    while (this.arrivals.length < this.stdoutText.split('\n').length - 1) this.arrivals.push(atMs);
  }

  /** Starts, and waits for the START event. */
  static async start(options: WardenOptions): Promise<Warden> {
    const warden = new Warden(options);
    const started = () => {
      if (warden.ended !== null) {
        throw new Error(`ended with ${warden.ended.code}: ${warden.stderr}`);
      }
      return warden.events().some(({ act }) => command(act) === 'START');
    };
    try {
      await waitFor('a START event', started, options.readyMs ?? 90_000);
      return warden;
    } catch (error) {
      const { stderr } = warden;
      await warden.clean();
      throw new Error(`no start; it said: ${stderr}`, { cause: error });
    }
  }

  /** Starts without waiting, for starts that must fail. */
  static async fails(options: WardenOptions): Promise<{ code: number | null; stderr: string }> {
    const warden = new Warden(options);
    await waitFor(
      'the end of a start that must fail',
      () => warden.ended,
      options.readyMs ?? 60_000,
    );
    return { code: warden.ended?.code ?? null, stderr: warden.stderr };
  }

  get stderr(): string {
    return this.chunks.join('');
  }

  /** Waits for a word on stderr: it comes by a pipe, later than what its writer does next. */
  async says(words: RegExp, timeoutMs = 30_000): Promise<void> {
    const said = () => words.test(this.stderr);
    await waitFor(`${words} on stderr`, said, timeoutMs);
  }

  get stdout(): string {
    return this.stdoutText;
  }

  /** Events printed so far. */
  events(): EventJson[] {
    const lines = this.stdoutText.split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as EventJson);
  }

  /** The monitor's pid (warden-load) and those of the services below it. */
  get pid(): number {
    return this.child.pid ?? 0;
  }

  servicePids(): number[] {
    return descendants(this.pid);
  }

  killServices(signal: NodeJS.Signals = 'SIGKILL'): void {
    killTree(this.servicePids(), signal);
  }

  /** kill -9 of monitor and services at once: the programs stay attached. */
  async killAll(): Promise<void> {
    const pids = [this.pid, ...this.servicePids()];
    killTree(pids, 'SIGKILL');
    await this.end;
    await waitFor('the end of the services', () => pids.every((pid) => !isAlive(pid)));
  }

  /** Stops as Ctrl-C does, and waits. */
  async stop(signal: NodeJS.Signals = 'SIGINT') {
    if (this.ended === null) killTree([this.pid], signal);
    return this.end;
  }

  /** Stops whatever is left, and removes programs and pins. For the end of a test. */
  async clean(): Promise<void> {
    if (this.ended === null) {
      killTree([this.pid], 'SIGTERM');
      await this.end;
    }
    Warden.unload(this.place);
  }

  static unload(place: Placed): void {
    spawnSync(LOADER, ['unload', '--dir', place.run], { stdio: 'ignore' });
  }
}

/** Nothing of this machine's own instance. */
function ownPlace({ run, root }: Placed): Record<string, string> {
  return { WARDEN_RUN: run, WARDEN_ETC: resolve(root, 'etc') };
}

function command(act: unknown): string {
  return (act as { command: string }).command;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
