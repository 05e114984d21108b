import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hostName, type PrincipalKey, principalKey, type Subject } from '#event';
import { loaderNumber, modelOf, principalOf, subjectsOf } from '#policy';
import { fold, initialState } from '#trust';
import { check } from '../trust/property.ts';
import { act, factsWith } from '../trust/support.ts';
import { HEAD, policyOf } from './support.ts';

const policy = policyOf(`${HEAD}
realms: [{ name: corp, uids: 10000-59999 }, { name: lab, uids: 2000-2999 }]
loaders:
  - { name: sshd, kind: login, match: { path: /usr/sbin/sshd } }
  - { name: cilium, match: { path: /usr/bin/cilium-agent, sha256: ${'ab'.repeat(32)} } }
  - { name: falco, match: { path: /usr/bin/falco } }
  - { name: cilium, match: { path: /opt/cilium-agent, sha256: ${'cd'.repeat(32)} } }
  - { name: mixed, match: { path: /usr/bin/mixed, sha256: ${'ef'.repeat(32)} } }
  - { name: mixed, match: { path: /opt/mixed } }
trusted: ["uid:10001@corp", cilium@web-1, "uid:33@web-1"]
bases: { uid: 70, principals: { "uid:33@web-1": 85, "uid:2000@lab": 75 } }
`);
const where = { host: hostName('web-1'), realms: policy.realms, loaders: policy.loaders };

test('golden: principals of subjects', () => {
  const rows: readonly [Subject, string][] = [
    [{ kind: 'auid', id: 10001 }, 'uid:10001@corp'],
    [{ kind: 'uid', id: 10001 }, 'uid:10001@corp'],
    [{ kind: 'auid', id: 59999 }, 'uid:59999@corp'],
    [{ kind: 'auid', id: 60000 }, 'uid:60000@web-1'],
    [{ kind: 'auid', id: 2000 }, 'uid:2000@lab'],
    [{ kind: 'uid', id: 33 }, 'uid:33@web-1'],
    [{ kind: 'uid', id: 0 }, 'uid:0@web-1'],
    [{ kind: 'loader', id: 1552010000 }, 'cilium@web-1'],
    [{ kind: 'loader', id: loaderNumber('falco') }, 'falco@web-1'],
    [{ kind: 'loader', id: 0 }, 'loader-0@web-1'],
    [{ kind: 'loader', id: 99 }, 'loader-99@web-1'],
  ];
  for (const [subject, principal] of rows) {
    assert.deepEqual([subject, principalOf(subject, where)], [subject, principal]);
    assert.equal(principalKey(principal), principal);
  }
});

test('golden: subjects of principals', () => {
  const rows: readonly [string, string[]][] = [
    ['uid:10001@corp', ['auid 10001', 'uid 10001']],
    ['uid:2000@lab', ['auid 2000', 'uid 2000']],
    ['uid:33@web-1', ['auid 33', 'uid 33']],
    ['uid:33@web-2', []],
    ['uid:33@corp', []],
    ['uid:10001@web-1', []],
    ['cilium@web-1', ['loader 1552010000']],
    ['falco@web-1', [`loader ${loaderNumber('falco')}`]],
    ['falco@web-2', []],
    ['nobody@web-1', []],
    ['host:web-1', []],
  ];
  for (const [principal, subjects] of rows) {
    const found = subjectsOf(principal as PrincipalKey, where);
    assert.deepEqual(
      [principal, found.map(({ kind, id }) => `${kind} ${id}`)],
      [principal, subjects],
    );
  }
});

test('every subject is among the subjects of its principal', () => {
  const subjectArb = fc.oneof(
    fc.record({ kind: fc.constantFrom('auid', 'uid'), id: fc.nat(4_294_967_294) }),
    fc.record({ kind: fc.constantFrom('auid', 'uid'), id: fc.nat(70_000) }),
    fc.record({
      kind: fc.constant('loader'),
      id: fc.constantFrom(...policy.loaders.map(({ name }) => loaderNumber(name))),
    }),
  ) as fc.Arbitrary<Subject>;
  check(
    fc.property(subjectArb, (subject) => {
      const back = subjectsOf(principalOf(subject, where), where);
      assert.ok(back.some(({ kind, id }) => kind === subject.kind && id === subject.id));
      for (const one of back) {
        assert.equal(principalOf(one, where), principalOf(subject, where));
      }
    }),
  );
});

test('the model: bases and default tiers by principal', () => {
  const model = modelOf(policy);
  const rows: readonly [string, number, number][] = [
    ['uid:10001@corp', 90, 4],
    ['uid:10002@corp', 90, 3],
    ['uid:9@corp', 70, 3],
    ['uid:2000@lab', 75, 3],
    ['uid:33@web-1', 85, 4],
    ['uid:34@web-1', 70, 3],
    ['cilium@web-1', 90, 4],
    ['cilium@web-2', 90, 3],
    ['falco@web-1', 65, 3],
    ['mixed@web-1', 65, 3],
    ['loader-9@web-1', 65, 3],
    ['host:web-1', 90, 3],
  ];
  for (const [principal, base, tier] of rows) {
    const standing = model.standingOf(principal as PrincipalKey);
    const expected = { base: base * 1_000_000, defaultTier: tier, floor: 0 };
    assert.deepEqual([principal, standing], [principal, expected]);
    const state = initialState(principal as PrincipalKey, model);
    assert.deepEqual([state.base, state.tier], [base * 1_000_000, tier]);
  }
});

test('the model: weights, allow list and hours act in the fold', () => {
  const monday = 1_767_571_200_000;
  const model = modelOf(
    policyOf(`${HEAD}
signals: { S07: { weight: 26, half_life: 2d }, S13: { limit: 1 }, S21: { weight: 0 } }
programs: { allow: ["${'aa'.repeat(32)}"] }
hours: { days: [mon], from: "07:00", to: "19:00", utc_offset: "+01:00" }
`),
  );
  const raised = (tMs: number, facts: Parameters<typeof factsWith>[0]): string[] => {
    const state = { ...initialState(factsWith().principal, model), activeDays: 3 };
    const { outcome } = fold(state, act(tMs, facts), model);
    return outcome.signals.map(({ id, added }) => `${id} ${added / 1_000_000}`);
  };
  const ten = monday + 10 * 3_600_000;
  assert.deepEqual(raised(ten, { exePath: '/tmp/x', auidStatus: 'claimed' }), ['S07 26']);
  assert.deepEqual(raised(ten, { errno: 'EPERM', count: 2 }), ['S13 5']);
  const load = { command: 'PROG_LOAD', programSha256: 'bb'.repeat(32) };
  assert.deepEqual(raised(ten, load), ['S15 5']);
  assert.deepEqual(raised(monday, {}), ['S16H 2']);
  assert.equal(model.signals[7]?.halfLifeMs, 2 * 86_400_000);
});
