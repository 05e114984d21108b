import assert from 'node:assert/strict';
import test from 'node:test';
import { pages, stalePages } from '../../setup/generate.ts';

const made = await pages();

test('generated pages are as their generator makes them', () => {
  assert.deepEqual(stalePages(made), [], 'run setup/node setup/generate.ts');
});

test('a generated page tells of every verb, of every field what it is', () => {
  const [cli, events] = made;
  for (const verb of ['up', 'tail', 'doctor', 'trust', 'explain', 'policy check', 'verify']) {
    assert.ok(cli?.text.includes(`## warden ${verb}\n`), verb);
  }
  assert.ok(events);
  assert.match(events.text, /^\| `process\.auid_status` \| `unset`, `counts`, `claimed` \|/m);
  assert.doesNotMatch(events.text, /undefined|\[object/);
});
