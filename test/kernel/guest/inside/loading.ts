import assert from 'node:assert/strict';
import { run } from '#testkit';
import { LOADS, LOGIN } from './policy.ts';

/** Program types as the kernel numbers them. */
export const SOCKET_FILTER = '1';
export const KPROBE = '2';

export interface Loaded {
  readonly pid: number;
  /** Of each PROG_LOAD that the workload made; null: it loaded. */
  readonly errnos: readonly (string | null)[];
  readonly lines: readonly Record<string, unknown>[];
}

/** Runs `loads` with these options, after a login as `auid` unless that is null. */
export async function loads(
  auid: number | null,
  args: readonly string[],
  program = LOADS,
): Promise<Loaded> {
  const ran =
    auid === null ? await run(program, args) : await run(LOGIN, [`${auid}`, program, ...args]);
  const lines = ran.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const made = lines.filter(({ command }) => command === 'PROG_LOAD');
  assert.ok(made.length > 0, `${args.join(' ')}: ${ran.stdout}${ran.stderr}`);
  return { pid: ran.pid, errnos: made.map(({ errno }) => errno as string | null), lines };
}

/** The one load's errno; null: it loaded. */
export async function loadAs(
  auid: number | null,
  args: readonly string[],
  program = LOADS,
): Promise<string | null> {
  const { errnos } = await loads(auid, args, program);
  assert.equal(errnos.length, 1);
  return errnos[0] ?? null;
}

/** A kprobe program that calls these helpers. */
export const kprobe = (...helpers: number[]): string[] => [
  ...['--type', KPROBE],
  ...['--helpers', helpers.join()],
];
