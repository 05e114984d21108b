import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonical, defaultPolicy, hashPolicy, PolicyError, parseCanonical } from '#policy';
import { check } from '../trust/property.ts';
import { fileArb, HEAD, policyOf } from './support.ts';

test('the canonical form is a policy file that reads back as the same policy', () => {
  check(
    fc.property(fileArb, (text) => {
      const policy = policyOf(text);
      const form = canonical(policy);
      assert.deepEqual(parseCanonical(form), policy);
      assert.deepEqual(policyOf(form), policy);
      assert.equal(canonical(parseCanonical(form)), form);
      assert.equal(hashPolicy(parseCanonical(form)), hashPolicy(policy));
    }),
    60,
  );
});

test('what means the same has the same hash, what does not has another', () => {
  const hash = (text: string): string => hashPolicy(policyOf(HEAD + text));
  const same = hashPolicy(defaultPolicy());
  assert.equal(hash(''), same);
  assert.equal(hash('# a comment\n'), same);
  assert.equal(hash('bases: { uid: 65 }'), same);
  assert.equal(hash('signals: { S07: { half_life: 168h } }'), same);
  assert.notEqual(hash('bases: { uid: 66 }'), same);
  assert.notEqual(hash('programs: { allow: [] }'), same);
  const realms = 'realms: [{ name: a, uids: 1-2 }, { name: b, uids: 3-4 }]\n';
  const turned = 'realms: [{ name: b, uids: 3-4 }, { name: a, uids: 1-2 }]\n';
  assert.equal(hash(realms), hash(turned));
  const allow = (...digits: string[]) =>
    `programs: { allow: [${digits.map((digit) => `"${digit.repeat(64)}"`)}] }`;
  assert.equal(hash(allow('a', 'b', 'a')), hash(allow('b', 'a')));
});

test('golden: the form itself', () => {
  const form = canonical(
    policyOf(`${HEAD}hours: { days: [sun, mon], from: 07:30, to: 24:00, utc_offset: -03:30 }
realms: [{ name: corp, uids: 10000-59999 }]
loaders: [{ name: sshd, kind: login, match: { path: /usr/sbin/sshd } }]
tiers: { standard: { grant: all }, restricted: { grant: all }, quarantined: { grant: none } }
trusted: ["uid:10001@corp"]
`),
  );
  const { signals, ...rest } = JSON.parse(form);
  assert.equal(
    JSON.stringify(rest),
    [
      '{"bases":{"host":90,"loader":90,"loader_path":65,"principals":{},"realm":90,"uid":65,',
      '"unmanaged":75},"breaker":{"hosts":"10%","principals":20,"share":"10%","within":"1m"},',
      '"ceiling":"trusted","context":{"changes":[],"crown_jewels":[]},',
      '"grants":{},"hours":{"days":["sun","mon"],"from":"07:30","to":"24:00",',
      '"utc_offset":"-03:30"},',
      '"loaders":[{"grant":"all","kind":"login","match":{"path":"/usr/sbin/sshd"},"name":"sshd"}],',
      '"mode":"observe","operators":[],',
      '"realms":[{"managed":true,"name":"corp","uids":"10000-59999"}],',
      '"reflex":[],"rollout":{"would_deny":20},',
      '"tiers":{"denied":{"grant":"none"},"quarantined":{"grant":"none"},',
      '"restricted":{"grant":"all"},"standard":{"grant":"all"},"trusted":{"grant":"all"}},',
      '"trusted":["uid:10001@corp"],"version":1}',
    ].join(''),
  );
  assert.deepEqual(signals.S12, { half_life: '1d', limit: 200, weight: 6 });
});

test('what is no canonical form is a typed error', () => {
  for (const text of [
    '',
    '{',
    'null',
    '[]',
    '{"version":1}',
    '{"__proto__":{}}',
    '['.repeat(1e6),
  ]) {
    assert.throws(() => parseCanonical(text), PolicyError);
  }
});
