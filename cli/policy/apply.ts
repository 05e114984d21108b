import type { Command } from 'commander';
import { STAGES, type Stage } from '#event';
import { formatProblem } from '#policy';
import { CliError, EXIT } from '../shared/exit.ts';
import { configOf } from '../shared/open.ts';
import { sound } from './check.ts';
import {
  inForce,
  percentOf,
  type RollOutOptions,
  rollOut,
  tell,
  withRollOutOptions,
} from './roll-out.ts';

interface ApplyOptions extends RollOutOptions {
  readonly stage: string;
  readonly percent?: string;
}

/** Throws `CliError` for a stage that does not exist. */
export function stageOf(text: string): Stage {
  const stage = STAGES.find((name) => name === text);
  if (stage !== undefined) return stage;
  const expected = `expected one of ${STAGES.join(', ')}`;
  throw new CliError(EXIT.usage, `--stage ${JSON.stringify(text)}: ${expected}`);
}

async function apply(file: string, options: ApplyOptions): Promise<void> {
  const config = configOf(options);
  const stage = stageOf(options.stage);
  const percent = percentOf(stage, options.percent);
  const { policy, text, findings } = sound(file);
  const before = inForce(config);
  const rolled = await rollOut(config, { policy, text, stage, percent }, options);
  const notes = findings.map((one) => `warning ${formatProblem(one)}`);
  if (stage === 'observe' && before.applied?.stage === 'enforce') {
    notes.push('nothing is refused any more: the policy before it was in stage enforce');
  }
  if (config.policyFile !== null) {
    notes.push(`WARDEN_POLICY is set: ./warden up starts with ${config.policyFile} instead`);
  }
  tell(rolled, options, notes);
}

export function applyVerb(policy: Command): void {
  const verb = policy
    .command('apply <file>')
    .description('make a policy the one of this host: checked, signed, in the kernel, in the log')
    .option('--stage <stage>', 'observe, canary or enforce', 'observe')
    .option('--percent <n>', 'of the hosts, with --stage canary (default: 10)');
  withRollOutOptions(verb)
    .addHelpText(
      'after',
      '\nExample:\n  $ sudo ./warden policy apply policies/debian-server.yaml \\\n' +
        '      --author alice --reason "first policy"\n\n' +
        'It is kept in /etc/warden (WARDEN_ETC), and is what ./warden up starts with.\n' +
        'Exit codes: 0 applied; 64 usage; 77 not root, or not signed as it must be; 78 the\n' +
        'policy has errors; others as warden-load has them: then the policy before stays.',
    )
    .action(apply);
}
