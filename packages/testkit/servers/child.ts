import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

export interface ServerCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** The name it is started under, where that is not its file's. */
  readonly argv0?: string;
  /** What it says goes here. */
  readonly log: string;
}

/** A server's process: ended by its pid, and with this process at the latest. */
export class ServerProcess {
  private readonly command: ServerCommand;
  private child: ChildProcess | null = null;
  private ended: Promise<void> = Promise.resolve();
  private readonly last = () => this.child?.kill('SIGKILL');

  constructor(command: ServerCommand) {
    this.command = command;
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.child !== null && this.child.exitCode === null && this.child.signalCode === null;
  }

  start(): void {
    const { file, args, argv0, log } = this.command;
    const output = openSync(log, 'a');
    const named = argv0 === undefined ? {} : { argv0 };
    const child = spawn(file, args, { stdio: ['ignore', output, output], ...named });
    closeSync(output);
    this.child = child;
    this.ended = new Promise((done) => {
      child.once('exit', () => done());
      child.once('error', () => done());
    });
    process.once('exit', this.last);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    this.child?.kill(signal);
    await this.ended;
    process.off('exit', this.last);
  }

  /** A process that is stopped with SIGSTOP answers nobody; SIGCONT lets it go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.child?.kill(signal);
  }

  /** The last lines of what it said. */
  said(lines = 20): string {
    return readFileSync(this.command.log, 'utf8').split('\n').slice(-lines).join('\n');
  }
}
