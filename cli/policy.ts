import type { Command } from 'commander';
import { canonical, hashPolicy } from '#policy';
import { checkVerb } from './policy/check.ts';
import { testVerb } from './policy/test.ts';
import { configOf } from './shared/open.ts';
import { loadPolicy } from './shared/policy-file.ts';

interface PolicyOptions {
  readonly json?: boolean;
  readonly policy?: string;
}

function show(options: PolicyOptions): void {
  const config = configOf(options);
  const { policy, text } = loadPolicy(config);
  const hash = hashPolicy(policy);
  const source = config.policyFile ?? 'built-in';
  if (!config.json) process.stdout.write(`${text.trimEnd()}\n# ${source}, sha256 ${hash}\n`);
  else {
    const body = JSON.parse(canonical(policy));
    console.log(JSON.stringify({ schema: 'warden.policy/1', source, hash, policy: body }));
  }
}

export function policyVerb(program: Command): void {
  const policy = program.command('policy').description('the policy in force, or a file of yours');
  policy
    .command('show')
    .description('print the policy that a start would use')
    .option('--policy <file>', 'a file instead of the built-in policy (WARDEN_POLICY)')
    .option('--json', 'as JSON (schema warden.policy/1)')
    .addHelpText('after', '\nExample:\n  $ ./warden policy show > policy.yaml')
    .action(show);
  checkVerb(policy);
  testVerb(policy);
}
