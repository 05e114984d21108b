import type { Command } from 'commander';
import { applyVerb } from './policy/apply.ts';
import { bootVerb } from './policy/boot.ts';
import { checkVerb } from './policy/check.ts';
import { diffVerb } from './policy/diff.ts';
import { historyVerb } from './policy/history.ts';
import { keygenVerb } from './policy/keygen.ts';
import { promoteVerb } from './policy/promote.ts';
import { rollbackVerb } from './policy/rollback.ts';
import { schemaVerb } from './policy/schema.ts';
import { showVerb } from './policy/show.ts';
import { testVerb } from './policy/test.ts';

export function policyVerb(program: Command): void {
  const policy = program
    .command('policy')
    .description('the policy in force: check, test, compare, apply, promote, go back');
  for (const verb of [
    showVerb,
    checkVerb,
    testVerb,
    diffVerb,
    applyVerb,
    promoteVerb,
    rollbackVerb,
    historyVerb,
    keygenVerb,
    bootVerb,
    schemaVerb,
  ]) {
    verb(policy);
  }
}
