import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

const WORKLOADS = resolve(import.meta.dirname, '../../bpf/build/workloads');

/** A line that a workload printed of an act it made: its own truth. */
export type Truth = Readonly<Record<string, string | number | boolean | null>> & {
  readonly command: string;
};

export interface Ran {
  readonly pid: number;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function run(
  file: string,
  args: readonly string[] = [],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; uid?: number; gid?: number } = {},
): Promise<Ran> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  return new Promise((done, failed) => {
    child.on('error', failed);
    child.on('close', (code, signal) =>
      done({
        pid: child.pid ?? 0,
        code,
        signal,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      }),
    );
  });
}

/** Runs one of the C workloads and reads what it says it did. Throws when it did not succeed. */
export async function workload(name: string, args: readonly string[] = []) {
  const ran = await run(resolve(WORKLOADS, name), args);
  if (ran.code !== 0) {
    throw new Error(`workload ${name} ended with ${ran.code ?? ran.signal}: ${ran.stderr}`);
  }
  const lines = ran.stdout.split('\n').filter((line) => line !== '');
  return { pid: ran.pid, acts: lines.map((line) => JSON.parse(line) as Truth) };
}
