import { EventError, principalKey } from '#event';
import { lowerThreshold, POINT, raiseThreshold, type Tier } from '#trust';
import { BASE_KINDS, type PolicyFile } from './file.ts';
import { nearest } from './nearest.ts';
import type { Policy } from './policy.ts';
import { type Path, shown } from './problem.ts';
import type { Source } from './source.ts';
import { baseKindOf, pointsOf } from './standing.ts';
import { UID_MAX } from './values.ts';

const FORM = 'a principal such as uid:10001@corp, cilium@web-1 or uid:33@web-1';

/** Principals that a policy names must be able to exist, else the line would have no effect. */
export function checkPrincipals(source: Source, file: PolicyFile, policy: Policy): void {
  for (const [i, text] of (file.trusted ?? []).entries()) {
    const path = ['trusted', i];
    if ((file.trusted ?? []).indexOf(text) < i) {
      source.add(path, { code: 'DUPLICATE', message: `${shown(text)} a second time` });
    } else if (text.startsWith('host:')) {
      const message = 'a host has no tier of its own';
      source.add(path, { code: 'BAD_VALUE', message, expected: FORM });
    } else checkPrincipal(source, path, text, policy);
  }
  for (const text of Object.keys(file.bases?.principals ?? {})) {
    checkPrincipal(source, ['bases', 'principals', text], text, policy);
  }
}

function checkPrincipal(source: Source, path: Path, text: string, policy: Policy): void {
  try {
    principalKey(text);
  } catch (error) {
    if (!(error instanceof EventError)) throw error;
    const message = `${shown(text)} is no principal`;
    source.add(path, { code: 'BAD_VALUE', message, expected: FORM }, 'key');
    return;
  }
  const at = text.lastIndexOf('@');
  if (text.startsWith('uid:')) checkUid(source, path, text, policy);
  else if (!text.startsWith('host:')) checkLoaderName(source, path, text.slice(0, at), policy);
}

function checkUid(source: Source, path: Path, text: string, { realms }: Policy): void {
  const [uidText, where] = text.slice('uid:'.length).split('@');
  const uid = Number(uidText);
  const named = realms.find(({ name }) => name === where);
  const holding = realms.find(({ first, last }) => first <= uid && uid <= last);
  if (uid > UID_MAX || String(uid) !== uidText) {
    const message = `${shown(uidText)} is no uid`;
    source.add(path, { code: 'BAD_VALUE', message, expected: `0 to ${UID_MAX}` }, 'key');
  } else if (named !== undefined && named !== holding) {
    const message = `uid ${uid} is not in realm ${named.name}`;
    const expected = `${named.first} to ${named.last}`;
    source.add(path, { code: 'UNUSED', message, expected }, 'key');
  } else if (named === undefined && holding !== undefined) {
    const message = `uid ${uid} is in realm ${holding.name} on every host`;
    const hint = `uid:${uid}@${holding.name}`;
    source.add(path, { code: 'UNUSED', message, nearest: hint }, 'key');
  }
}

function checkLoaderName(source: Source, path: Path, name: string, { loaders }: Policy): void {
  const loader = loaders.find((one) => one.name === name);
  if (loader === undefined) {
    const agents = loaders.filter(({ kind }) => kind !== 'tool').map((one) => one.name);
    const problem = { message: `no loader ${shown(name)}`, nearest: nearest(name, agents) };
    source.add(path, { code: 'UNKNOWN_NAME', expected: 'a name under loaders', ...problem }, 'key');
  } else if (loader.kind === 'tool') {
    const message = `${shown(name)} is a tool: who runs it is the principal`;
    source.add(path, { code: 'UNUSED', message }, 'key');
  }
}

const STANDARD: Tier = 3;
const TRUSTED: Tier = 4;
/** Lint L12: what a base must have above the threshold of the best tier. */
const MARGIN_POINTS = 5;

/** Lints L3 and L12 for every base, and for the base of everybody who is trusted. */
export function lintBases(source: Source, file: PolicyFile, policy: Policy): void {
  const { bases, trusted } = policy;
  for (const kind of BASE_KINDS) {
    lintBase(source, ['bases', kind], file.bases?.[kind], STANDARD);
  }
  for (const { principal, points } of bases.principals) {
    const best = trusted.includes(principal) ? TRUSTED : STANDARD;
    lintBase(source, ['bases', 'principals', principal], points, best);
  }
  for (const principal of trusted) {
    if (bases.principals.some((one) => one.principal === principal)) continue;
    const path = ['trusted', (file.trusted ?? []).indexOf(principal)];
    const kind = baseKindOf(policy, principal);
    lintBase(source, path, pointsOf(policy, kind), TRUSTED, ` (bases.${kind})`);
  }
}

function lintBase(
  source: Source,
  path: Path,
  points: number | undefined,
  best: Tier,
  from = '',
): void {
  if (points === undefined) return;
  const boundary = lowerThreshold(STANDARD) / POINT;
  const raise = raiseThreshold(best) / POINT;
  const expected = `at least ${raise + MARGIN_POINTS}`;
  if (points < boundary) {
    const message = `a base of ${points}${from} is below ${boundary}: restricted before any signal`;
    source.add(path, { code: 'NOISE_FLOOR', message, expected });
  } else if (points < raise + MARGIN_POINTS) {
    const tier = best === TRUSTED ? 'trusted' : 'standard';
    const message = `from a base of ${points}${from} recovery to ${tier} (${raise}) takes months`;
    source.add(path, { code: 'MARGIN', message, expected });
  }
}
