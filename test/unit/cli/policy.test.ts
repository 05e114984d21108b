import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { decode, type Rollout } from '#event';
import { DEFAULT_LIMIT } from '#log';
import { defaultPolicy, hashPolicy } from '#policy';
import { openSqliteStore } from '#state';
import { signedBytes } from '../../../cli/policy/signing.ts';
import { loadPolicy, policyHere } from '../../../cli/shared/policy-file.ts';
import { policyOf } from '../policy/support.ts';
import { acted, labelled, Machine } from './policy-run.ts';

const machines: Machine[] = [];
function machine(name: string): Machine {
  const made = new Machine(name);
  machines.push(made);
  return made;
}
after(() => {
  for (const one of machines) one.place.remove();
});

const A = 'version: 1\nmode: enforce\n';
const B = `${A}ceiling: standard\n`;
const OBSERVES = 'version: 1\nmode: observe\nceiling: standard\n';
const BY = ['--author', 'alice', '--reason', 'a test', '--ticket', 'SEC-1'];
const hashOf = (text: string): string => hashPolicy(policyOf(text));
const appliedIn = (one: Machine) =>
  JSON.parse(readFileSync(join(one.place.root, 'etc/applied.json'), 'utf8'));
const appliedFile = (one: Machine): boolean => existsSync(join(one.place.root, 'etc/applied.json'));

async function rollouts(one: Machine): Promise<Rollout[]> {
  const store = await openSqliteStore(one.place.database, { readOnly: true });
  const records = await store.log.read({ topic: 'bpf.policy', partition: 0 }, 0, DEFAULT_LIMIT);
  await store.close();
  return records.map(({ value }) => decode('Rollout', value));
}

test('apply: kept with who, why and what was before; a start uses it, at its stage', async () => {
  const here = machine('apply');
  await here.record([]);
  const { code, out } = await here.run('apply', here.file('a.yaml', A), ...BY);
  assert.equal(code, 0, out);
  assert.match(out, /mode observe to enforce: what is not granted is refused/);
  assert.match(out, /stage observe: nothing is refused, what would be is recorded/);
  assert.match(out, /kernel: nothing is loaded here: it counts from the next start; log: recorded/);
  const { timeMs, ...applied } = appliedIn(here);
  assert.ok(Math.abs(Date.now() - timeMs) < 60_000);
  assert.deepEqual(applied, {
    schema: 'warden.applied/1',
    hash: hashOf(A),
    stage: 'observe',
    percent: 0,
    author: 'alice',
    reason: 'a test',
    ticket: 'SEC-1',
    previous: hashPolicy(defaultPolicy()),
    operator: null,
    signature: null,
    text: A,
  });
  const etc = join(here.place.root, 'etc');
  assert.equal(statSync(join(etc, 'applied.json')).mode & 0o777, 0o600);
  assert.equal(statSync(etc).mode & 0o777, 0o755);
  assert.equal(readFileSync(join(etc, 'history', `${hashOf(A)}.yaml`), 'utf8'), A);
  const [record] = await rollouts(here);
  assert.equal(record?.policyHash, hashOf(A));
  assert.deepEqual([record?.stage, record?.author], ['observe', 'alice']);
  const loaded = loadPolicy({ policyFile: null, enforce: false });
  assert.equal(hashPolicy(loaded.policy), hashOf(A));
  assert.deepEqual(loaded.rollout, { stage: 'observe', percent: 0 });
  assert.equal(policyHere(loaded).mode, 'observe');
  assert.equal(policyHere(loadPolicy({ policyFile: null, enforce: true })).mode, 'enforce');
  const file = loadPolicy({ policyFile: here.file('b.yaml', B), enforce: false });
  assert.equal(hashPolicy(file.policy), hashOf(B), 'a file that is named counts before it');
  const shown = await here.run('show');
  assert.match(shown.out, /applied\.json, sha256 [0-9a-f]{64}, stage observe\n$/);
});

test('apply: what has errors, or no mode to refuse in, is not applied', async () => {
  const here = machine('refused');
  const rows: readonly [string, readonly string[], number, RegExp][] = [
    [
      'version: 1\nmode: enfroce\n',
      [],
      78,
      /a\.yaml:2:7: mode: "enfroce" .* did you mean "enforce"/,
    ],
    [`${A}tiers: { standard: { grant: none } }\n`, [], 78, /PID 1 .* units would not start/],
    [OBSERVES, ['--stage', 'enforce'], 64, /the policy observes: nothing would be refused/],
    [A, ['--stage', 'enforced'], 64, /--stage "enforced": expected one of observe, canary/],
    [A, ['--stage', 'canary', '--percent', '101'], 64, /--percent "101": expected 1 to 100/],
    [A, ['--percent', '5'], 64, /--percent is for --stage canary/],
    [A, ['--sign', '/nowhere.pem'], 78, /key \/nowhere\.pem: ENOENT/],
  ];
  for (const [text, options, expected, message] of rows) {
    const { code, out } = await here.run('apply', here.file('a.yaml', text), ...BY, ...options);
    assert.deepEqual([code, message.test(out)], [expected, true], out);
    assert.ok(!appliedFile(here), out);
  }
  const long = await here.run('apply', here.file('a.yaml', A), '--author', ' ', '--reason', 'x');
  assert.equal(long.code, 64);
  const { code } = await here.run('apply', here.file('o.yaml', OBSERVES), ...BY);
  assert.equal(code, 0, 'it may be applied in stage observe');
});

test('apply: where the kernel does not take it, the policy before stays', async () => {
  const here = machine('kernel');
  await here.run('apply', here.file('a.yaml', A), ...BY);
  const before = appliedIn(here);
  // As if something were loaded: warden-load finds no pins, or is not there at all.
  writeFileSync(join(here.place.run, 'load.json'), '{}');
  const { code, out } = await here.run('apply', here.file('b.yaml', B), ...BY);
  assert.notEqual(code, 0, out);
  assert.deepEqual(appliedIn(here), before);
  const { lines } = await here.run('history', '--json');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).hash),
    [hashOf(A)],
  );
  const staged = readdirSync(here.place.run).filter((name) => name.startsWith('policy-'));
  const stem = `policy-${hashOf(B).slice(0, 16)}-observe-0`;
  assert.deepEqual(staged.sort(), [`${stem}.compiled`, `${stem}.yaml`, `${stem}.yaml.rollout`]);
  const source = join(here.place.run, `${stem}.yaml`);
  const loaded = loadPolicy({ policyFile: source, enforce: false });
  assert.deepEqual(loaded.rollout, { stage: 'observe', percent: 0 }, 'the services know the stage');
});

test('a policy in force that names operators is replaced only with their signature', async () => {
  const here = machine('sign');
  await here.record([]);
  const key = (name: string): string => join(here.place.root, `${name}.pem`);
  const made = await here.run('keygen', key('alice'), '--name', 'alice');
  assert.match(
    made.lines[0] ?? '',
    /^operators: \[\{ name: alice, key: "[A-Za-z0-9+/]{43}=" \}\]$/,
  );
  assert.equal(statSync(key('alice')).mode & 0o777, 0o600);
  const again = await here.run('keygen', key('alice'));
  assert.deepEqual([again.code, /is there already/.test(again.out)], [73, true]);
  await here.run('keygen', key('bob'), '--name', 'bob');
  const guarded = here.file('a.yaml', `${A}${made.lines[0]}\n`);
  const first = await here.run('apply', guarded, ...BY, '--sign', key('alice'));
  assert.match(first.out, /by alice, signed by alice/, 'by the operators that it brings itself');

  const other = here.file('b.yaml', B);
  const unsigned = await here.run('apply', other, ...BY);
  assert.deepEqual(
    [unsigned.code, /with a signature of alice: name the key/.test(unsigned.out)],
    [77, true],
  );
  const wrong = await here.run('apply', other, ...BY, '--sign', key('bob'));
  assert.deepEqual(
    [wrong.code, /no operator's of the policy in force \(alice\)/.test(wrong.out)],
    [77, true],
  );
  for (const verb of [['promote', '--stage', 'enforce', '--anyway'], ['rollback']]) {
    assert.equal((await here.run(...verb, ...BY)).code, 77, verb[0]);
  }
  assert.equal(appliedIn(here).hash, hashOf(readFileSync(guarded, 'utf8')));
  const signed = await here.run('apply', other, ...BY, '--sign', key('alice'));
  assert.equal(signed.code, 0, signed.out);

  const record = (await rollouts(here)).at(-1)!;
  assert.equal(record.operator, 'alice');
  const publicKey = createPublicKey(readFileSync(key('alice')));
  const signature = record.signature ?? new Uint8Array();
  assert.ok(verify(null, signedBytes(record), publicKey, signature));
  const forged = { ...record, stage: 'enforce' } as const;
  assert.ok(!verify(null, signedBytes(forged), publicKey, signature), 'the stage is signed too');
});

test('promote: forward only, within the budget, beyond it by a word of an operator', async () => {
  const here = machine('promote');
  const none = await here.run('promote', '--stage', 'enforce', ...BY);
  assert.deepEqual([none.code, /no policy was applied on this host/.test(none.out)], [69, true]);
  const policy = `${A}rollout: { would_deny: 3 }\n`;
  await here.run('apply', here.file('a.yaml', policy), ...BY);
  const blind = await here.run('promote', '--stage', 'enforce', ...BY);
  assert.deepEqual([blind.code, /no log of what was refused/.test(blind.out)], [69, true]);

  const since = appliedIn(here).timeMs;
  const would = (principal: string, timeMs: number, count = 1) =>
    acted({ principal, timeMs, count, decision: 'would_deny', rule: 'tiers.standard.commands' });
  await here.record([
    would('uid:1000@web-1', since - 1, 50),
    would('uid:1000@web-1', since + 1, 2),
    would('uid:1001@web-1', since + 2, 50),
    labelled('uid:1001@web-1', 'fp'),
    acted({ principal: 'uid:1002@web-1', timeMs: since + 3 }),
    would('uid:33@web-1', since + 4, 1),
  ]);
  const canary = await here.run('promote', '--stage', 'canary', '--percent', '5', ...BY);
  assert.equal(canary.code, 0, canary.out);
  assert.match(canary.out, /stage canary: refuses on 5% of the hosts, the same policy/);
  assert.match(canary.out, /3 acts a day of people without a label .* the budget is 3/);

  const begun = appliedIn(here).timeMs;
  await here.record([would('uid:33@web-1', begun + 1, 4), would('uid:1000@web-1', begun + 2, 1)]);
  const over = await here.run('promote', '--stage', 'enforce', ...BY);
  assert.equal(over.code, 1, over.out);
  assert.match(
    over.lines[0] ?? '',
    /^5 acts a day .* the budget is 3: .* promote it with --anyway$/,
  );
  assert.match(over.lines[1] ?? '', /: 4 \(tiers\.standard\.commands\)$/, 'the worst first');
  assert.equal(appliedIn(here).stage, 'canary');
  const back = await here.run('promote', '--stage', 'observe', ...BY);
  assert.deepEqual([back.code, /in stage canary, 5% already/.test(back.out)], [64, true]);
  const anyway = await here.run('promote', '--stage', 'enforce', '--anyway', ...BY);
  assert.equal(anyway.code, 0, anyway.out);
  assert.match(appliedIn(here).reason, /^a test \(anyway: 5 acts a day .* the budget is 3\)$/);
  assert.equal(appliedIn(here).previous, hashPolicy(defaultPolicy()));
});

test('rollback: the policy before, with its stage; --to any that was here', async () => {
  const here = machine('rollback');
  const none = await here.run('rollback', ...BY);
  assert.deepEqual([none.code, /no policy was in force here before/.test(none.out)], [69, true]);
  await here.run('apply', here.file('a.yaml', A), ...BY, '--stage', 'canary', '--percent', '30');
  await here.run('apply', here.file('b.yaml', B), ...BY);
  const back = await here.run('rollback', '--author', 'bob', '--reason', 'it refused the backup');
  assert.equal(back.code, 0, back.out);
  assert.match(back.out, /ceiling standard to trusted/);
  const now = appliedIn(here);
  assert.deepEqual(
    [now.hash, now.stage, now.percent, now.author, now.previous],
    [hashOf(A), 'canary', 30, 'bob', hashOf(B)],
  );
  const first = await here.run('rollback', '--to', hashPolicy(defaultPolicy()).slice(0, 8), ...BY);
  assert.equal(first.code, 0, first.out);
  assert.equal(appliedIn(here).stage, 'observe', 'the built-in policy refuses nothing');
  const wrong = await here.run('rollback', '--to', 'ffff', ...BY);
  assert.deepEqual([wrong.code, /nothing with that hash/.test(wrong.out)], [64, true]);
  const { lines } = await here.run('history');
  assert.equal(lines.length, 4 + 4, 'head, borders and four rows');
  assert.equal(lines.filter((line) => line.includes('*')).length, 1);
  writeFileSync(join(here.place.root, 'etc/history', `${hashOf(A)}.yaml`), B);
  const changed = await here.run('rollback', '--to', hashOf(A).slice(0, 8), ...BY);
  assert.deepEqual([changed.code, /its text was changed/.test(changed.out)], [65, true]);
});

test('a record of a policy that is not what it says is not used', async () => {
  const here = machine('tampered');
  await here.run('apply', here.file('a.yaml', A), ...BY);
  const file = join(here.place.root, 'etc/applied.json');
  const good = readFileSync(file, 'utf8');
  for (const [text, message] of [
    [good.replace('mode: enforce', 'mode: observe'), /it holds another policy than it says/],
    [good.replace('mode: enforce', 'mode'), /its policy is not readable/],
    ['{', /not JSON/],
    [good.replace('"observe"', '"later"'), /not a record of a policy/],
  ] as const) {
    writeFileSync(file, text);
    const { code, out } = await here.run('show');
    assert.deepEqual([code, message.test(out)], [78, true], out);
  }
});

test('diff: in words, and who in the log uses what would be lost', async () => {
  const here = machine('diff');
  const old = here.file('old.yaml', A);
  const grant = '{ commands: ["*"], program_types: ["*", "!KPROBE"], map_types: ["*"] }';
  const fresh = here.file('new.yaml', `${A}grants: { standard: ${grant} }\n`);
  const now = Date.now();
  const loaded = acted({ principal: 'uid:1000@web-1', timeMs: now - 86_400_000 });
  await here.record([
    ...[loaded, loaded, loaded],
    acted({ principal: 'uid:33@web-1', timeMs: now, type: 'XDP' }),
    acted({ principal: 'uid:34@web-1', timeMs: now, decision: 'deny', helpers: ['sys_bpf'] }),
    acted({ principal: 'uid:35@web-1', timeMs: now - 40 * 86_400_000 }),
  ]);
  const { code, out } = await here.run('diff', old, fresh, '--principals');
  assert.equal(code, 0, out);
  assert.match(out, /^- standard users would lose PROG_LOAD of KPROBE$/m);
  const people = out.slice(out.indexOf('in the log:')).trim().split('\n').slice(1);
  assert.equal(people.length, 1, out);
  assert.match(people[0]!, /would lose PROG_LOAD of KPROBE \(used 3 times in the last 30d\)$/);
  const json = JSON.parse((await here.run('diff', old, fresh, '--principals', '--json')).out);
  assert.deepEqual(json.principals, [
    {
      principal: 'uid:1000@web-1',
      what: 'PROG_LOAD of KPROBE',
      rule: 'tiers.standard.program_types',
      count: 3,
    },
  ]);
  assert.equal((await here.run('diff', old, old)).out, 'no difference: they mean the same\n');
  await here.run('apply', old, ...BY);
  const held = await here.run('diff', '--in-force', fresh);
  assert.match(held.out, /^- standard users would lose PROG_LOAD of KPROBE$/m);
  assert.equal((await here.run('diff', old)).code, 64);
  assert.equal((await here.run('diff', '--in-force', old, fresh)).code, 64);
});

test('check and test: exit codes, and JSON for programs', async () => {
  const here = machine('check');
  const file = here.file('p.yaml', A);
  const plain = await here.run('check', file);
  assert.equal(plain.code, 0, plain.out);
  assert.match(plain.out, /0 errors, 3 warnings; low-confidence signals alone leave at least 56/);
  assert.equal((await here.run('check', file, '--strict')).code, 1);
  const json = JSON.parse((await here.run('check', file, '--json')).out);
  assert.deepEqual([json.schema, json.ok, json.hash], ['warden.policy-check/2', true, hashOf(A)]);
  assert.equal(json.findings.length, 3);
  assert.equal((await here.run('check', here.file('bad.yaml', 'mode: x'))).code, 78);
  const lockout = here.file('l.yaml', `${A}tiers: { standard: { grant: none } }\n`);
  assert.equal((await here.run('check', lockout)).code, 1);

  const absent = await here.run('test', file);
  assert.deepEqual([absent.code, /no golden cases beside it/.test(absent.out)], [69, true]);
  const step = (tier: string): string => `version: 1
cases:
  - name: one load
    about: uid:33@web-1
    story: [{ act: PROG_LOAD, program: KPROBE, expect: { tier: ${tier} } }]
`;
  here.file('p.cases.yaml', step('standard'));
  const good = await here.run('test', file);
  assert.deepEqual([good.code, good.lines[0]], [0, 'ok   one load']);
  const other = here.file('other.yaml', step('denied'));
  const failed = await here.run('test', file, other);
  assert.equal(failed.code, 1);
  assert.match(failed.out, /other\.yaml:5: day 1 00:00: tier expected denied found standard/);
  assert.match(failed.out, /0 of 1 cases as expected/);
  const told = JSON.parse((await here.run('test', file, other, '--json')).out);
  assert.deepEqual([told.schema, told.ok, told.misses.length], ['warden.policy-test/1', false, 1]);
  const wrong = await here.run('test', file, here.file('w.yaml', 'cases: 1'));
  assert.deepEqual([wrong.code, /the cases cannot be used/.test(wrong.out)], [78, true]);
});

test('schema: where it is, and itself', async () => {
  const here = machine('schema');
  const { lines } = await here.run('schema');
  assert.ok(existsSync(lines[0] ?? ''));
  assert.equal(lines.at(-1), `# yaml-language-server: $schema=${lines[0]}`);
  for (const option of [[], ['--cases']]) {
    const { out } = await here.run('schema', '--json', ...option);
    assert.equal(JSON.parse(out).type, 'object');
  }
});
