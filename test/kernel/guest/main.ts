import { Command, InvalidArgumentError } from 'commander';
import { GuestError, KERNELS, type Kernel, runGuest } from './index.ts';

/** `npm run guest`: a kernel of the matrix, with the product in it, for people. */
interface Options {
  readonly kernel: Kernel;
  readonly append?: string;
  readonly memory?: number;
  readonly timeout?: number;
  readonly network?: boolean;
  readonly debian?: boolean;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

function kernel(text: string): Kernel {
  const found = KERNELS.find((one) => one === text);
  if (found === undefined) throw new InvalidArgumentError(`expected ${KERNELS.join(', ')}.`);
  return found;
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('expected a number from 1.');
  return Number(text);
}

/** One argument is a line for the shell; several are a command and its arguments. */
function lineOf(words: readonly string[]): string | undefined {
  if (words.length <= 1) return words[0];
  return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
}

async function main(words: readonly string[], options: Options): Promise<void> {
  const command = lineOf(words);
  try {
    const run = await runGuest({
      kernel: options.kernel,
      say: (text) => process.stderr.write(`guest: ${text}\n`),
      ...(command !== undefined && { command }),
      ...(options.append !== undefined && { append: options.append }),
      ...(options.memory !== undefined && { memoryMiB: options.memory }),
      ...(options.timeout !== undefined && { timeoutSeconds: options.timeout }),
      ...(options.network === true && { network: true }),
      ...(options.debian === true && { system: 'debian' as const }),
      ...(options.verbose === true && {
        onConsole: (line: string) => process.stderr.write(`${line}\n`),
      }),
    });
    if (options.json) console.log(JSON.stringify({ schema: 'warden.guest/1', ...run }));
    else {
      process.stdout.write(run.stdout);
      process.stderr.write(run.stderr);
    }
    process.exitCode = run.status;
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 70;
  }
}

await new Command('guest')
  .description('boot a kernel in a virtual machine with the product in it, and run a command there')
  .argument('[command...]', 'what to run, as root; without one: a shell on the console')
  .requiredOption('-k, --kernel <version>', KERNELS.join(', '), kernel)
  .option('--append <text>', "more of the kernel's command line, such as preempt=full")
  .option('--memory <MiB>', 'memory of the guest', positive)
  .option('--timeout <seconds>', 'after which it counts as hung, by default 300', positive)
  .option('--network', 'a network card: servers of this machine are at 10.0.2.2')
  .option('--debian', 'a Debian with systemd, udev and sshd as its root')
  .option('--verbose', 'show the console as it comes')
  .option('--json', 'status, output and times as one object (schema warden.guest/1)')
  .addHelpText('after', '\nExample:\n  $ npm run guest -- --kernel 6.12 -- ./warden doctor')
  .action(main)
  .parseAsync();
