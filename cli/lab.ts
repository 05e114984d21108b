import { writeFileSync } from 'node:fs';
import { matchesGlob } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { EXIT } from './shared/exit.ts';

interface LabCommand {
  readonly kernel?: string[];
  readonly setting?: string[];
  readonly preempt?: string;
  readonly only?: string;
  readonly json?: boolean;
  readonly out?: string;
  readonly keep?: string;
}

const collect = (value: string, before: string[] = []): string[] => [...before, value];

function chosen<T extends string>(all: readonly T[], given: readonly string[] | undefined): T[] {
  for (const one of given ?? []) {
    if (!all.includes(one as T)) {
      throw new InvalidArgumentError(`${one}: expected one of ${all.join(', ')}.`);
    }
  }
  return all.filter((one) => given === undefined || given.includes(one));
}

async function lab(options: LabCommand): Promise<void> {
  // Only here: the lab belongs to the tests, and no other verb pays for it.
  const { KERNELS, SETTINGS, isWrong, runLab, table } = await import('../test/lab/index.ts');
  const only = options.only;
  const rows = await runLab({
    kernels: chosen(KERNELS, options.kernel),
    settings: chosen(SETTINGS, options.setting),
    ...(options.preempt !== undefined && { preempt: options.preempt }),
    ...(only !== undefined && { wanted: ({ name }) => matchesGlob(name, only) }),
    ...(options.keep !== undefined && { keep: options.keep }),
    say: (text) => process.stderr.write(`lab: ${text}\n`),
  });
  const json = rows.map((row) => JSON.stringify(row)).join('\n');
  if (options.out !== undefined) writeFileSync(options.out, `${json}\n`);
  console.log(options.json === true ? json : table(rows));
  const wrong = rows.filter(isWrong);
  process.stderr.write(`lab: ${rows.length} rows, ${wrong.length} weaker than expected\n`);
  for (const { attack, kernel, setting, expected, got, how } of wrong) {
    process.stderr.write(`lab: ${kernel} ${setting} ${attack}: ${got}, not ${expected}: ${how}\n`);
  }
  process.exitCode = wrong.length > 0 || rows.length === 0 ? EXIT.findings : EXIT.ok;
}

export const labVerb = (program: Command): void => {
  program
    .command('lab')
    .description('attack the guard in virtual machines, and show what each attack got')
    .option('-k, --kernel <version>', '6.1, 6.12 or 7.2; again for more; by default all', collect)
    .option('-s, --setting <name>', 'none, signing, observe or enforce; by default all', collect)
    .option('--preempt <model>', "the kernel's preemption model, such as full")
    .option('--only <glob>', 'attacks by name')
    .option('--json', 'one object a row')
    .option('--out <file>', 'write the rows there as well')
    .option('--keep <directory>', 'what each guest said, the events among it')
    .addHelpText('after', "\nExample:\n  $ ./warden lab --kernel 6.12 --only 'load-*'")
    .action(lab);
};
