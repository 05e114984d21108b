import type { Command } from 'commander';
import { canonical, hashPolicy } from '#policy';
import { configOf } from '../shared/open.ts';
import { loadPolicy } from '../shared/policy-file.ts';

interface ShowOptions {
  readonly json?: boolean;
  readonly policy?: string;
}

function show(options: ShowOptions): void {
  const config = configOf(options);
  const { policy, text, source, rollout } = loadPolicy(config);
  const hash = hashPolicy(policy);
  if (!config.json) {
    const percent = rollout?.stage === 'canary' ? ` ${rollout.percent}%` : '';
    const stage = rollout === null ? '' : `, stage ${rollout.stage}${percent}`;
    process.stdout.write(`${text.trimEnd()}\n# ${source}, sha256 ${hash}${stage}\n`);
    return;
  }
  const body = JSON.parse(canonical(policy));
  const { stage = null, percent = null } = rollout ?? {};
  const whole = { schema: 'warden.policy/1', source, hash, stage, percent, policy: body };
  console.log(JSON.stringify(whole));
}

export function showVerb(policy: Command): void {
  policy
    .command('show')
    .description('print the policy that a start would use: a file, what was applied, or built-in')
    .option('--policy <file>', 'a file instead (WARDEN_POLICY)')
    .option('--json', 'as JSON (schema warden.policy/1)')
    .addHelpText('after', '\nExample:\n  $ ./warden policy show > policy.yaml')
    .action(show);
}
