import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { seed } from '#testkit';
import { FAULTS, type Fault } from './faults.ts';

/** npm run chaos -- [F09] [--dose full] [--seed N]: a fault, or all, and a verdict each. */
const ROOT = resolve(import.meta.dirname, '..');
const SECONDS = { gate: 600, full: 24 * 3600 } as const;

const IDS = Object.keys(FAULTS).join(' ');
const USAGE = `npm run chaos -- [FAULT] [--dose gate|full] [--seed N]; faults: ${IDS}`;

function usage(why: string): never {
  console.error(`${why}\n${USAGE}`);
  process.exit(64);
}

function argumentsOf() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        dose: { type: 'string', default: 'gate' },
        seed: { type: 'string', default: `${seed}` },
      },
    });
    return { ...values, ids: positionals.map((id) => id.toUpperCase()) };
  } catch (error) {
    return usage((error as Error).message);
  }
}

/** Runs the tests of a fault. Returns whether all of them held. */
function holds(id: string, { file, named }: Fault, dose: keyof typeof SECONDS): boolean {
  const pattern = named === true ? [`--test-name-pattern=\\b${id}\\b`] : [];
  const { status } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--test', ...pattern, join(ROOT, file)],
    { stdio: 'inherit', timeout: SECONDS[dose] * 1000 },
  );
  return status === 0;
}

const { dose, seed: given, ids } = argumentsOf();
if (dose !== 'gate' && dose !== 'full') usage(`--dose ${JSON.stringify(dose)}`);
if (!/^\d{1,10}$/.test(given)) usage(`--seed ${JSON.stringify(given)}: expected a number`);
const unknown = ids.filter((id) => FAULTS[id] === undefined);
if (unknown.length > 0) usage(`no such fault: ${unknown.join(', ')}`);
process.env.WARDEN_DOSE = dose;
process.env.WARDEN_SEED = given;
const verdicts = Object.entries(FAULTS)
  .filter(([id]) => ids.length === 0 || ids.includes(id))
  .map(([id, fault]) => {
    const startMs = Date.now();
    const held = holds(id, fault, dose);
    const seconds = ((Date.now() - startMs) / 1000).toFixed(0);
    const run = `${dose}, seed ${given}, ${seconds} s`;
    return `${held ? 'held  ' : 'BROKEN'} ${id} ${fault.what} (${run})`;
  });
console.log(verdicts.join('\n'));
process.exitCode = verdicts.every((line) => line.startsWith('held')) ? 0 : 1;
