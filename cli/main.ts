import { Command } from 'commander';
import { EXIT } from './shared/exit.ts';
import { report } from './shared/report.ts';
import { VERSION } from './shared/version.ts';
import { VERBS } from './verbs.ts';

const ASKS_VERSION: ReadonlySet<string | undefined> = new Set(['--version', '-V']);

/** With all verbs where none is named, or one that is not there: help and errors list them. */
async function build(named: string | undefined): Promise<Command> {
  const program = new Command('warden')
    .description('Who uses BPF on this machine, how far they are trusted, and what they may do')
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(warden --help lists the verbs)')
    .addHelpText(
      'after',
      '\nExamples:\n  $ ./warden up                 record and show every use of BPF (as root)\n' +
        '  $ ./warden trust              who is trusted how far\n' +
        '  $ ./warden explain uid:0@$(hostname)\n',
    );
  if (ASKS_VERSION.has(named)) return program;
  const one = VERBS.get(named ?? '');
  const wanted = one === undefined ? [...VERBS.values()] : [one];
  for (const verb of await Promise.all(wanted.map((load) => load()))) verb(program);
  return program;
}

// A reader that ends early (head, less) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.software);
});

try {
  const program = await build(process.argv[2]);
  await program.parseAsync(process.argv);
} catch (error) {
  const code = report(error);
  // A service that failed must end, whatever timer or thread is left.
  if (process.env.WARDEN_SERVICE !== undefined) process.exit(code);
  process.exitCode = code;
}
