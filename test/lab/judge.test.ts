import assert from 'node:assert/strict';
import test from 'node:test';
import type { EventJson } from '#event';
import type { Made } from './guest.ts';
import { isWrong, judge } from './judge.ts';
import type { Attack } from './types.ts';

const boot = { kernel: '6.12', setting: 'enforce' } as const;
const attack: Attack = { name: 'an-attack', family: 'hidden', gain: 'much', expected: 'refused' };
const BEGIN = Date.parse('2026-11-30T10:00:00Z') * 1000;

const made = (gained: boolean): Made => ({
  attack: attack.name,
  beginUs: BEGIN,
  endUs: BEGIN + 1_000_000,
  status: gained ? 0 : 1,
  truth: { gained, how: 'PROG_LOAD', errno: gained ? null : 'EPERM' },
});

/** An event as the product prints it, half a second after the attack began by default. */
function event(command: string, decision: string, time = '2026-11-30T10:00:00.500000Z'): EventJson {
  return {
    schema: 'bpf.enriched/1',
    id: 'guest/1/0/1',
    time,
    host: 'guest',
    principal: 'uid:10100@corp',
    display: 'uid:10100@corp',
    loader: null,
    process: { comm: 'attack' },
    act: { command, via: 'bpf', result: null, errno: null, count: 1 },
    program: null,
    map: null,
    link: null,
    path: null,
    verdict: { decision, rule: decision === 'allow' ? null : 'tiers.standard.helpers' },
    trust: null,
  };
}

const got = (gained: boolean, ...events: EventJson[]) =>
  judge(boot, attack, made(gained), events).got;

test('a gain is allowed unless an event tells of it', () => {
  assert.equal(got(false), 'refused');
  assert.equal(got(true), 'allowed');
  assert.equal(got(true, event('MAP_CREATE', 'allow')), 'allowed', 'no event of an attack');
  assert.equal(got(true, event('PROG_LOAD', 'would_deny')), 'reported');
  assert.equal(got(true, event('GUARD', 'allow')), 'reported');
});

test('an event of another time, or of the fall before, tells of nothing', () => {
  assert.equal(got(true, event('PROG_LOAD', 'deny', '2026-11-30T10:00:02.000000Z')), 'allowed');
  assert.equal(got(true, event('TOKEN_CREATE', 'deny')), 'allowed');
});

test('a row names the event that says most', () => {
  const row = judge(boot, attack, made(false), [
    event('PROG_LOAD', 'deny'),
    event('GUARD', 'allow'),
  ]);
  assert.equal(row.event, 'PROG_LOAD deny tiers.standard.helpers');
  assert.equal(row.how, 'PROG_LOAD: EPERM');
});

test('weaker than expected is wrong, and so is an attack that shows nothing', () => {
  const row = judge(boot, attack, made(true), []);
  assert.equal(isWrong(row), true);
  assert.equal(isWrong(judge(boot, attack, made(false), [])), false);
  assert.equal(isWrong(judge(boot, attack, undefined, [])), true, 'not made');
  const none = { ...boot, setting: 'none' } as const;
  assert.equal(isWrong(judge(none, attack, made(false), [])), true, 'gains nothing anywhere');
  assert.equal(isWrong(judge(none, attack, made(true), [])), false);
});

test('what must be heard of is not refused by being futile alone', () => {
  const heard: Attack = { ...attack, needsEvent: true, record: { command: /^PROG_LOAD$/ } };
  assert.equal(judge(boot, heard, made(false), []).got, 'allowed');
  assert.equal(judge(boot, heard, made(false), [event('PROG_LOAD', 'deny')]).got, 'refused');
});
