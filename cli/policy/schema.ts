import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';

const ROOT = resolve(import.meta.dirname, '../../schemas');
const FILES = { policy: 'policy.schema.json', cases: 'policy-cases.schema.json' } as const;

function schema(options: { readonly cases?: boolean; readonly json?: boolean }): void {
  const file = resolve(ROOT, FILES[options.cases === true ? 'cases' : 'policy']);
  if (options.json === true) {
    process.stdout.write(readFileSync(file, 'utf8'));
    return;
  }
  console.log(
    [
      file,
      '',
      'An editor with a YAML language server checks and completes while you type. First line:',
      '',
      `# yaml-language-server: $schema=${file}`,
    ].join('\n'),
  );
}

export function schemaVerb(policy: Command): void {
  policy
    .command('schema')
    .description('where the JSON Schema for editors is, and how to point one to it')
    .option('--cases', 'that of golden cases')
    .option('--json', 'the schema itself')
    .addHelpText('after', '\nExample:\n  $ ./warden policy schema --json > policy.schema.json')
    .action(schema);
}
