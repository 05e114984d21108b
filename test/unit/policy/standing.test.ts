import assert from 'node:assert/strict';
import test from 'node:test';
import { principalKey } from '#event';
import { modelOf } from '#policy';
import { POINT } from '#trust';
import { HEAD, policyOf } from './support.ts';

const SHA = 'a'.repeat(64);
const BASES = { loader: 81, loader_path: 72 };
const POINTS = `loader: ${BASES.loader}, loader_path: ${BASES.loader_path}`;
const TEXT = `${HEAD}signals: { S21: { weight: 0 } }\nbases: { ${POINTS} }\n`;

/** Points that the loader `agent` begins with. */
const baseOf = (loader: string, principal = 'agent@web-1') => {
  const policy = policyOf(`${TEXT}loaders: [{ name: agent, ${loader} }]\n`);
  return modelOf(policy).standingOf(principalKey(principal)).base / POINT;
};
const byPath = 'match: { path: /usr/bin/agent }';
const byDigest = `match: { path: /usr/bin/agent, sha256: "${SHA}" }`;

test('a loader whose content is known has the base of one', () => {
  assert.equal(baseOf(byDigest), BASES.loader);
  assert.equal(baseOf(`${byDigest}, on_change: deny`), BASES.loader);
  assert.equal(baseOf(`${byDigest}, on_change: keep 24h`), BASES.loader);
});

test('one that is kept whatever its content becomes has the base of a path', () => {
  assert.equal(baseOf(byPath), BASES.loader_path);
  assert.equal(baseOf(`${byPath}, on_change: deny`), BASES.loader_path);
  assert.equal(baseOf(`${byDigest}, on_change: keep`), BASES.loader_path);
});

test('nobody the policy knows has the base of a path', () => {
  assert.equal(baseOf(byDigest, 'other@web-1'), BASES.loader_path);
});
