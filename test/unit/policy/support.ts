import assert from 'node:assert/strict';
import fc from 'fast-check';
import { COMMANDS, MAP_TYPES, PROGRAM_TYPES } from '#event';
import { formatProblem, type Policy, parsePolicy } from '#policy';

export const HEAD = 'version: 1\nmode: observe\n';

export function policyOf(text: string): Policy {
  const parsed = parsePolicy(text, 'policy.yaml');
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.problems.map(formatProblem).join('\n'));
  return parsed.policy;
}

const patterns = (names: readonly string[]) =>
  fc.array(
    fc.oneof(
      fc.constantFrom(...names),
      fc.constantFrom(...names).map((name) => `!${name}`),
      fc.constantFrom('*', '*_*', `${names[1]?.slice(0, 3)}*`),
    ),
    { maxLength: 6 },
  );

const grantArb = fc.record({
  commands: patterns(COMMANDS),
  program_types: patterns(PROGRAM_TYPES),
  map_types: patterns(MAP_TYPES),
});

const grantName = fc.constantFrom('all', 'none', 'standard', 'restricted', 'quarantined');
const digest = fc.constantFrom('a', 'b', 'c', 'd').map((digit) => digit.repeat(64));

/** Valid policy files, as JSON: which is YAML too. */
export const fileArb = fc
  .record(
    {
      realms: fc.constantFrom(
        [{ name: 'corp', uids: '10000-59999' }],
        [
          { name: 'corp', uids: '10000-59999' },
          { name: 'lab', uids: '2000-2999' },
        ],
      ),
      loaders: fc.constantFrom([
        { name: 'sshd', kind: 'login', match: { path: '/usr/sbin/sshd' } },
        { name: 'sshd', kind: 'login', match: { path: '/opt/sshd' } },
        { name: 'cilium', match: { path: '/usr/bin/cilium agent', sha256: 'ab'.repeat(32) } },
        { name: 'falco', match: { path: '/usr/bin/falco' }, on_change: 'keep 90m' },
        {
          name: 'tetragon',
          match: { path: '/usr/bin/tetragon', sha256: ['cd'.repeat(32), 'ab'.repeat(32)] },
          on_change: 'keep',
        },
      ]),
      grants: fc.record(
        { standard: grantArb, restricted: grantArb, quarantined: grantArb, unknown: grantArb },
        { requiredKeys: [] },
      ),
      tiers: fc.record({ trusted: grantName.map((grant) => ({ grant })) }, { requiredKeys: [] }),
      bases: fc.record(
        {
          realm: fc.integer({ min: 65, max: 100 }),
          uid: fc.integer({ min: 65, max: 100 }),
          principals: fc.constant({ 'uid:33@web-1': 70 }),
        },
        { requiredKeys: [] },
      ),
      signals: fc.record(
        {
          S07: fc.record({ weight: fc.nat(100) }, { requiredKeys: [] }),
          S12: fc.record({
            limit: fc.integer({ min: 1, max: 999 }),
            half_life: fc.constant('36h'),
          }),
        },
        { requiredKeys: [] },
      ),
      programs: fc.record({ allow: fc.array(digest, { maxLength: 5 }) }),
      hours: fc.constant({
        days: ['sun', 'mon'],
        from: '07:30',
        to: '24:00',
        utc_offset: '-03:30',
      }),
    },
    { requiredKeys: [] },
  )
  .map((file) => JSON.stringify({ version: 1, mode: 'observe', ...file }));
