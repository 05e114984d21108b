import assert from 'node:assert/strict';
import test from 'node:test';
import { Command } from 'commander';
import { VERBS } from '../../../cli/verbs.ts';

test('what is loaded for a name is the verb of this name', async () => {
  for (const [name, load] of VERBS) {
    const program = new Command();
    (await load())(program);
    assert.deepEqual(
      program.commands.map((command) => command.name()),
      [name],
    );
  }
});
