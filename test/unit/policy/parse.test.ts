import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import {
  defaultPolicy,
  defaultPolicyText,
  formatProblem,
  type Problem,
  parsePolicy,
} from '#policy';
import { RAISED_SIGNALS, TIER_NAMES } from '#trust';
import { HEAD, policyOf } from './support.ts';

function problemsOf(text: string): readonly Problem[] {
  const parsed = parsePolicy(text, 'policy.yaml');
  return parsed.ok ? [] : parsed.problems;
}

/**
 * broken.txt: lines of a policy after `| `, and after `> ` its first problem without the file.
 * The lines stand after HEAD, so the first of them is line 3.
 */
const BROKEN = readFileSync(new URL('broken.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n\n')
  .map((block) => {
    const starting = (mark: string): string[] =>
      block.split('\n').flatMap((line) => (line.startsWith(mark) ? [line.slice(2)] : []));
    return { text: starting('| ').join('\n'), message: starting('> ').join('\n') };
  });

test('each broken policy says where, what, and what belongs there', () => {
  assert.ok(BROKEN.length >= 60);
  for (const { text, message } of BROKEN) {
    const [first] = problemsOf(HEAD + text);
    assert.ok(first !== undefined, `accepted: ${text}`);
    assert.equal(formatProblem(first), `policy.yaml:${message}`, text);
  }
});

test('broken heads', () => {
  const rows: readonly [string, string][] = [
    ['', '1:1: the file is empty'],
    ['# nothing\n', '1:1: the file is empty'],
    ['mode: observe', '1:1: "version" is missing; expected 1'],
    ['version: 1', '1:1: "mode" is missing; expected observe or enforce'],
    ['version: 2\nmode: observe', '1:10: version: 2 is not valid; expected 1'],
    ['version: "1"\nmode: observe', '1:10: version: "1" is not valid; expected 1'],
    [
      'version: 1\nmode: obsreve',
      '2:7: mode: "obsreve" is not valid; expected observe or enforce; did you mean "observe"?',
    ],
    [
      '- 1',
      '1:1: a list is of the wrong type; expected a policy: version, mode and what is to differ ' +
        'from the built-in policy',
    ],
    ['%YAML 1.1\n---\nversion: 1\nmode: observe', '1:1: %YAML directives are not read'],
    [`${HEAD}---\n${HEAD}`, '3:1: a second document'],
  ];
  for (const [text, message] of rows) {
    const found = problemsOf(text).map(formatProblem);
    assert.equal(found[0], `policy.yaml:${message}`, text);
  }
});

test('all problems are found at once, in the order of the file', () => {
  const text = `${HEAD}tiers: { standard: { grant: x } }\nbases: { uid: -1 }\nrealm: 1\n`;
  assert.deepEqual(
    problemsOf(text).map(({ line, column, path, code }) => `${line}:${column} ${path} ${code}`),
    ['4:15 bases.uid BAD_VALUE', '5:1 realm UNKNOWN_KEY'],
  );
  const meaning = `${HEAD}tiers: { standard: { grant: x } }\nrealms: [{ name: a, uids: 2-1 }]\n`;
  assert.deepEqual(
    problemsOf(meaning).map(({ line, code }) => `${line} ${code}`),
    ['3 UNKNOWN_NAME', '4 BAD_VALUE'],
  );
});

test('two keys are enough: the rest is the built-in policy', () => {
  assert.deepEqual(policyOf(HEAD), defaultPolicy());
});

test('the built-in policy is complete, and says what the model says', () => {
  const policy = policyOf(defaultPolicyText);
  assert.deepEqual(policy.tiers, ['none', 'quarantined', 'restricted', 'standard', 'all']);
  assert.deepEqual(
    policy.signals,
    RAISED_SIGNALS.map(({ id, points, halfLifeMs, burst }) => ({
      id,
      points,
      halfLifeMs,
      limit: burst?.limit ?? null,
    })),
  );
  const { principals, ...bases } = policy.bases;
  assert.deepEqual(bases, {
    realm: 90,
    unmanaged: 75,
    loader: 90,
    loaderPath: 65,
    uid: 65,
    host: 90,
  });
  assert.deepEqual(principals, []);
  for (const name of ['sshd', 'login', 'cron', 'systemd']) {
    assert.equal(policy.loaders.find((loader) => loader.name === name)?.kind, 'login');
  }
  assert.deepEqual(
    [policy.allow, policy.hours, policy.trusted, policy.realms],
    [null, null, [], []],
  );
});

test('the commented examples of the built-in policy are valid too', () => {
  const examples = defaultPolicyText
    .split('\n')
    .map((line) =>
      line.replace(
        /^# (?=(realms|operators|trusted|programs|hours|ceiling|reflex|context):| {2,}[-ac][ lrh])/,
        '',
      ),
    )
    .map((line) => line.replace(/^ {2}# (?=principals:)/, '  '))
    .join('\n')
    .replace('cilium@web-1]', ']');
  const policy = policyOf(examples);
  assert.equal(policy.realms.length, 2);
  assert.deepEqual(
    policy.operators.map(({ name }) => name),
    ['alice'],
  );
  assert.deepEqual(policy.context.crownJewels, ['db-*']);
  assert.equal(policy.context.changes.length, 1);
  assert.deepEqual(policy.trusted, ['uid:10001@corp']);
  assert.equal(policy.allow?.length, 1);
  assert.equal(policy.bases.principals.length, 1);
  assert.equal(policy.hours?.offsetMinutes, 60);
  assert.equal(policy.ceiling, 3);
  assert.deepEqual(policy.reflex, [{ on: 'helpers', tier: 1, forMs: 600_000 }]);
});

test('what is just within the limits is accepted', () => {
  const accepted = [
    'realms: [{ name: a, uids: 5-5 }, { name: b, uids: 6-4294967294 }]',
    'bases: { realm: 65, loader: 65, loader_path: 65, uid: 65, host: 65 }',
    'bases: { principals: { "uid:33@web-1": 85 } }\ntrusted: ["uid:33@web-1"]',
    'signals: { S07: { half_life: 365d, weight: 0 }, S12: { half_life: 8760h, limit: 100000 } }',
    'signals: { S21: { weight: 0 } }\nloaders: [{ name: x, match: { path: /x } }]',
    'loaders: []\nsignals: { S21: { weight: 0 } }',
    'hours: { days: [mon], from: "00:00", to: "24:00", utc_offset: "-14:00" }',
  ];
  for (const text of accepted) policyOf(HEAD + text);
  policyOf(`\ufeff${HEAD.replaceAll('\n', '\r\n')}`);
});

test('a policy may put a grant of its own in the place of a built-in one', () => {
  const grant = '{ commands: [OBJ_GET], program_types: [], map_types: [] }';
  const policy = policyOf(`${HEAD}grants: { restricted: ${grant} }`);
  const [quarantined, restricted, standard] = policy.grants;
  assert.deepEqual(restricted?.commands, ['OBJ_GET']);
  assert.deepEqual([quarantined, standard], [defaultPolicy().grants[0], defaultPolicy().grants[2]]);
  assert.deepEqual(
    policyOf(`${HEAD}tiers: { standard: { grant: all } }`).grants.map(({ name }) => name),
    ['quarantined', 'restricted'],
  );
});

/** Whoever reads a policy takes them for valid. */
test('the schemas are ones themselves', () => {
  for (const name of ['policy', 'policy-cases']) {
    const url = new URL(`../../../schemas/${name}.schema.json`, import.meta.url);
    new Ajv2020({ allowUnionTypes: true }).compile(JSON.parse(readFileSync(url, 'utf8')));
  }
});

test('the schema for editors knows the signals and tiers of this build', () => {
  const url = new URL('../../../schemas/policy.schema.json', import.meta.url);
  const { properties, $defs } = JSON.parse(readFileSync(url, 'utf8'));
  const ids = RAISED_SIGNALS.map(({ id }) => id).sort();
  assert.deepEqual(Object.keys(properties.signals.properties).sort(), ids);
  for (const { id, burst } of RAISED_SIGNALS) {
    const kind = burst === undefined ? 'signal' : 'burst';
    assert.equal(properties.signals.properties[id].$ref, `#/$defs/${kind}`);
    assert.ok($defs[kind] !== undefined);
  }
  assert.deepEqual(Object.keys(properties.tiers.properties).sort(), [...TIER_NAMES].sort());
});

test('limits: bytes, entries, loaders and grants', () => {
  const first = (text: string): string | undefined => problemsOf(text).map(formatProblem)[0];
  assert.equal(first('#'.repeat(1024 * 1024 + 1)), 'policy.yaml:1:1: more than 1048576 bytes');
  const loader = (i: number) => `{ name: l${i}, kind: login, match: { path: /l${i} } }`;
  const many = (n: number) => Array.from({ length: n }, (_, i) => loader(i)).join(',\n  ');
  assert.equal(policyOf(`${HEAD}loaders: [${many(256)}]`).loaders.length, 256);
  assert.equal(
    first(`${HEAD}loaders: [${many(257)}]`),
    'policy.yaml:3:10: loaders: too many entries; expected at most 256',
  );
  const digests = Array.from({ length: 4097 }, (_, i) => `"${String(i).padStart(64, '0')}"`);
  assert.equal(
    first(`${HEAD}programs: { allow: [${digests.join(', ')}] }`),
    'policy.yaml:3:20: programs.allow: too many entries; expected at most 4096',
  );
  assert.equal(policyOf(`${HEAD}programs: { allow: [${digests.slice(1)}] }`).allow?.length, 4096);
  const entries = `${HEAD}trusted: [${'a,'.repeat(30_001)}]`;
  assert.equal(first(entries), 'policy.yaml:3:60003: more than 30000 entries');
  const tokens = `${HEAD}trusted: [${'a,'.repeat(60_000)}]`;
  assert.equal(first(tokens), 'policy.yaml:1:1: more than 100000 tokens');
});
