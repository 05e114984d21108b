import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GuestError, type Kernel } from '../kernel/guest/index.ts';
import { CATALOGUE } from './catalogue/index.ts';
import { attackIn, type Boot, type Booted, build } from './guest.ts';
import { judge } from './judge.ts';
import type { Attack, Row, Setting } from './types.ts';

export interface LabOptions {
  readonly kernels: readonly Kernel[];
  readonly settings: readonly Setting[];
  readonly preempt?: string;
  /** Loads that the racing attack tries. */
  readonly tries?: number;
  readonly wanted?: (attack: Attack) => boolean;
  /** Boots at once. */
  readonly atOnce?: number;
  /** A directory for what each guest said. */
  readonly keep?: string;
  readonly say?: (text: string) => void;
}

function attacksFor({ kernel, setting }: Boot, wanted: (attack: Attack) => boolean): Attack[] {
  return CATALOGUE.filter(
    (attack) =>
      wanted(attack) &&
      (attack.kernels ?? [kernel]).includes(kernel) &&
      (attack.settings ?? [setting]).includes(setting),
  );
}

const NOTHING: Booted = { stdout: '', made: [], events: [], lost: null, seconds: 0 };

/** A guest that came to no end is told, and its rows say that they were not made. */
async function attackOrSay(
  boot: Boot,
  attacks: readonly Attack[],
  say: (text: string) => void,
): Promise<Booted> {
  try {
    return await attackIn(boot, attacks, say);
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    say(`${boot.kernel} ${boot.setting}: given up: ${error.message}`);
    return NOTHING;
  }
}

/** All attacks of one setting; boots again when one of them was the guard's end. */
async function attackAll(
  boot: Boot,
  attacks: readonly Attack[],
  { say = () => undefined, keep }: LabOptions,
): Promise<Row[]> {
  const rows: Row[] = [];
  let left = attacks;
  while (left.length > 0) {
    const booted = await attackOrSay(boot, left, say);
    if (keep !== undefined) keepOutput(keep, boot, left, booted);
    const done = booted.lost === null ? left.length : lostAt(left, booted.lost);
    for (const attack of left.slice(0, done)) {
      const made = booted.made.find((one) => one.attack === attack.name);
      rows.push(judge(boot, attack, made, booted.events));
    }
    left = left.slice(done);
    if (left.length > 0) say(`${boot.kernel} ${boot.setting}: no guard after ${booted.lost}`);
  }
  return rows;
}

function keepOutput(
  directory: string,
  { kernel, setting }: Boot,
  [first]: readonly Attack[],
  { stdout }: Booted,
): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `${kernel}-${setting}-from-${first?.name}`), stdout);
}

/** How many were made when the guard was gone after this one. */
function lostAt(attacks: readonly Attack[], name: string): number {
  return Math.max(1, attacks.findIndex((attack) => attack.name === name) + 1);
}

function bootsOf({ kernels, settings, preempt, tries }: LabOptions): Boot[] {
  return kernels.flatMap((kernel) =>
    settings
      .filter((setting) => setting !== 'signing' || kernel === '7.2')
      .map((setting) => ({
        kernel,
        setting,
        ...(preempt !== undefined && { preempt }),
        ...(tries !== undefined && { tries }),
      })),
  );
}

interface Job {
  readonly boot: Boot;
  readonly attacks: readonly Attack[];
}

/**
 * What must not share a boot, apart. What may end the guard or its services comes after nothing
 * else: on a busy machine they can be minutes behind, and what they have not told by then is lost.
 */
function jobsOf(boot: Boot, attacks: readonly Attack[]): Job[] {
  const { tries, ...plain } = boot;
  const kind = ({ patches, dosed, destructive }: Attack) => {
    if (patches === true) return 'patch';
    if (dosed === true && tries !== undefined) return 'dose';
    return destructive === true ? 'end' : 'leave';
  };
  const { leave = [], end = [], patch = [], dose = [] } = Object.groupBy(attacks, kind);
  return [
    { boot: plain, attacks: leave },
    { boot: plain, attacks: end },
    { boot: plain, attacks: patch },
    { boot, attacks: dose },
  ];
}

/** Runs the lab. Throws when a guest could not be started or came to a bad end. */
export async function runLab(options: LabOptions): Promise<Row[]> {
  const { wanted = () => true, atOnce = 2 } = options;
  build();
  const jobs = bootsOf(options).flatMap((boot) => jobsOf(boot, attacksFor(boot, wanted)));
  const rows: Row[][] = [];
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < jobs.length; i = next++) {
      const { boot, attacks } = jobs[i] as (typeof jobs)[number];
      rows[i] = await attackAll(boot, attacks, options);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, jobs.length) }, worker));
  return rows.flat();
}
