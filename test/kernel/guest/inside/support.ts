import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type EventJson, hostName } from '#event';
import { compilePolicy, parsePolicy } from '#policy';
import { type Placed, place, readEvents, run, type SeenEvent, Warden, waitFor } from '#testkit';

/** What the scenarios share; they run inside a guest, each as the only instance there. */
export const HOST = 'guest';
export const WORKLOADS = resolve(import.meta.dirname, '../../../../bpf/build/workloads');
export const WARDEN_LOAD = join(WORKLOADS, '../warden-load');
const ROOT = resolve(import.meta.dirname, '../../../..');
/** Everything is some twenty times slower here. */
export const SLOW_MS = 10_000;
/** Two loads of the guard through the verifier, by an emulated processor that others use too. */
const START_MS = 40_000;

const STANDARD = 3;

/** What a kernel log is not to have, but for a workqueue that waits long: the emulator is slow. */
export const COMPLAINT = /WARNING|\bBUG\b(?!: workqueue)|stall|hung_task/;

export interface Scene {
  readonly at: Placed;
  warden: Warden;
  readonly policy: string;
  /** What was read of its log, oldest first. */
  readonly seen: SeenEvent[];
  again(): Promise<void>;
  end(): Promise<void>;
}

/** A copy of a workload where nobody but root writes, and that S07 does not mind. */
export function installed(name: string, as: string): string {
  const path = join('/usr/local/bin', as);
  copyFileSync(join(WORKLOADS, name), path);
  chmodSync(path, 0o755);
  return path;
}

/** Starts the product with this policy; `again` starts it once more on the same state. */
export async function open(name: string, policyText: string, mode = 'auto'): Promise<Scene> {
  const at = place(name);
  const policy = join(at.root, 'policy.yaml');
  writeFileSync(policy, policyText);
  const options = {
    place: at,
    policy,
    env: { WARDEN_HOST: HOST, WARDEN_MODE: mode },
    readyMs: START_MS,
  };
  const scene: Scene = {
    at,
    policy,
    seen: [],
    warden: await Warden.start(options),
    again: async () => {
      scene.warden = await Warden.start(options);
    },
    end: async () => {
      await scene.warden.clean();
      at.remove();
    },
  };
  return scene;
}

/** All enriched events so far. Only new ones are read: to decode all each time is slow here. */
export async function eventsOf({ at, seen }: Scene): Promise<readonly SeenEvent[]> {
  seen.push(...(await readEvents(at.database, (seen.at(-1)?.offset ?? -1) + 1)));
  return seen;
}

export async function find(
  scene: Scene,
  what: string,
  wanted: (seen: SeenEvent) => boolean,
): Promise<SeenEvent> {
  const found = async () => (await eventsOf(scene)).find(wanted);
  return waitFor(what, found, SLOW_MS);
}

/** A verb's answer as an object. Throws when it fails. */
export async function verb({ at }: Scene, ...args: string[]) {
  const ran = await run(join(ROOT, 'warden'), [...args, '--json', '--state', at.state], {
    env: { ...process.env, WARDEN_RUN: at.run, WARDEN_HOST: HOST },
  });
  if (ran.code !== 0) throw new Error(`${args.join(' ')} ended with ${ran.code}: ${ran.stderr}`);
  return JSON.parse(ran.stdout.trim().split('\n').at(-1) ?? '');
}

/** Events as `tail --json` prints them. */
export async function tail({ at }: Scene): Promise<EventJson[]> {
  const args = ['tail', '--all', '--no-follow', '--json', '--state', at.state];
  const { stdout } = await run(join(ROOT, 'warden'), args);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as EventJson);
}

/** `warden-load raises`. */
interface Held {
  readonly subjects: readonly { readonly subject: string; readonly tier: number }[];
  readonly reflexes: readonly { readonly subject: string; readonly tier: number }[];
  /** Entries and a digest, by map. */
  readonly in_force: Readonly<Record<string, string>>;
}

/** What the kernel holds. By warden-load: nobody else may open our maps. */
export function held({ at }: Scene): Held {
  const asked = ['raises', '--dir', at.run];
  return JSON.parse(execFileSync(WARDEN_LOAD, asked).toString()) as Held;
}

/** The kernel's tiers that are not standard, by `kind:id`. */
export function tiers(scene: Scene): Record<string, number> {
  const deviating = held(scene).subjects.filter(({ tier }) => tier !== STANDARD);
  const entries = deviating.map(({ subject, tier }) => [subject, tier] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Puts a policy of this text in force by the warden-load that the guard knows. One that observes
 * lets a test open our maps and rings, which one that enforces refuses to it as to everybody.
 */
export function inForce(loader: string, dir: string, text: string): void {
  const [compiled, source] = [`${dir}/test.compiled`, `${dir}/test.yaml`];
  writeFileSync(source, text, { mode: 0o644 });
  writeCompiled(compiled, text);
  execFileSync(loader, ['apply', '--dir', dir, '--policy', compiled, '--source', source]);
}

/** The policy of this text as warden-load takes it. */
export function writeCompiled(file: string, text: string): void {
  const parsed = parsePolicy(text, 'test');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed));
  writeFileSync(file, compilePolicy(parsed.policy, { host: hostName(HOST) }), { mode: 0o600 });
}
