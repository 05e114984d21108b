import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { hostName } from '#event';
import { compilePolicy, defaultPolicy } from '#policy';
import { KERNELS, runGuest } from '../kernel/guest/index.ts';

/** What the guard costs on each kernel of the matrix, in a guest, as ratios of one boot. */
const ROOT = resolve(import.meta.dirname, '../..');
const TURNS = 3;
const ROUNDS = 2;
const SECONDS = 1200;

type Record = (what: string, value: number, unit: string, note?: string) => void;

/** Nothing attached, programs that do nothing, the whole guard: in turn, several times. */
const SCRIPT = `set -e
load=bpf/build/warden-load
for turn in $(seq ${TURNS}); do
  /bench/hooks ${ROUNDS} | sed 's/^/none /'
  /bench/hooks --empty ${ROUNDS} | sed 's/^/empty /'
  $load load --dir /run/bench --policy /bench/policy --gid 0 --mode lsm >/dev/null
  /bench/hooks ${ROUNDS} | sed 's/^/guard /'
  test "$turn" = 1 && cat /run/bench/load.json
  $load unload --dir /run/bench
done
`;

function buildHooks(): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), 'warden-hooks-'));
  try {
    const program = join(directory, 'hooks');
    const source = join(ROOT, 'test/bench/hooks.c');
    execFileSync('cc', ['-O2', '-D_GNU_SOURCE', '-o', program, source, '-lbpf']);
    return readFileSync(program);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

/** ns by phase and kind, one for each turn. */
function readTimes(stdout: string): Map<string, number[]> {
  const times = new Map<string, number[]>();
  for (const [, key, ns] of stdout.matchAll(/^((?:none|empty|guard) \S+) ([\d.]+)$/gm)) {
    times.set(key as string, [...(times.get(key as string) ?? []), Number(ns)]);
  }
  return times;
}

export async function guests(record: Record): Promise<void> {
  const files = {
    '/bench/hooks': buildHooks(),
    '/bench/policy': compilePolicy(defaultPolicy(), { host: hostName('bench') }),
  };
  for (const kernel of KERNELS) {
    const command = `chmod +x /bench/hooks; mkdir -p /run/bench; ${SCRIPT}`;
    const ran = await runGuest({ kernel, command, files, timeoutSeconds: SECONDS });
    if (ran.status !== 0) throw new Error(`${kernel}: ended with ${ran.status}: ${ran.stderr}`);
    report(kernel, readTimes(ran.stdout), record);
    const { hooks } = JSON.parse(/^\{.*\}$/m.exec(ran.stdout)?.[0] ?? '{"hooks":[]}');
    for (const { name, verified_instructions } of hooks) {
      record(`${kernel} ${name}, verified`, verified_instructions, 'instructions');
    }
  }
}

function report(kernel: string, times: Map<string, number[]>, record: Record): void {
  for (const key of [...times.keys()].filter((one) => one.startsWith('none '))) {
    const kind = key.slice('none '.length);
    const of = (phase: string) => times.get(`${phase} ${kind}`) ?? [];
    const against = (phase: string) =>
      median(of('guard').map((ns, i) => ns / (of(phase)[i] ?? ns)));
    const note = `${median(of('none')).toFixed(0)} ns without, emulated; median of ${TURNS}`;
    record(`${kernel} ${kind}, guard / nothing`, against('none'), '×', note);
    record(`${kernel} ${kind}, guard / empty programs`, against('empty'), '×');
  }
}
