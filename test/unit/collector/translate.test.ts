import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { OWN_COMMANDS } from '#event';
import { translate } from '../../../services/collector/translate.ts';
import { act, context } from './support.ts';

const PROTECTED = 34;
const SETSOCKOPT = 3;
const SYSCALL = 6;
const PROG_LOAD = 5;
const ATTACH = 48;
const PIN_UNLINK = 53;

test('an act outside bpf(2) has a command and a way of its own', () => {
  const seen = translate({ ...act, command: ATTACH, via: SETSOCKOPT, flags: 0 }, context);
  assert.deepEqual([seen.act.command, seen.act.via], ['ATTACH', 'setsockopt']);
  const call = translate({ ...act, command: ATTACH, via: 0, flags: 0 }, context);
  assert.deepEqual([call.act.command, call.act.via], ['CMD_48', 'bpf'], 'a bpf(2) is none of them');
});

test('who would reach the guard itself is told by that rule', () => {
  const mode = 'lsm' as const;
  const tried = { ...act, command: PIN_UNLINK, via: SYSCALL, flags: 0, named: 'subjects' };
  const refused = { ...tried, decision: 1, rule: PROTECTED, result: -1 };
  const { act: told, path, verdict } = translate(refused, { ...context, mode });
  assert.deepEqual(
    [told.command, told.errno, path, verdict.rule, verdict.enforced],
    ['PIN_UNLINK', 'EPERM', 'subjects', 'guard.protected', true],
  );
});

test('mode signal: refused is what nothing came of, whoever was killed for it', () => {
  const KILLED = 1 << 20;
  const NO_RESULT = 8;
  const judged = (flags: number, result: number) => {
    const killed = { ...act, command: PROG_LOAD, decision: 1, rule: 2, flags, result };
    const { verdict, details } = translate(killed, { ...context, mode: 'signal' });
    return [verdict.enforced, details.map(({ key, value }) => `${key} ${value}`).join()];
  };
  assert.deepEqual(judged(KILLED, -11), [true, 'signal SIGKILL']);
  assert.deepEqual(judged(KILLED, 3), [false, 'signal SIGKILL'], 'it was there for a moment');
  assert.deepEqual(judged(KILLED | NO_RESULT, 0), [false, 'signal SIGKILL']);
});

test('own commands have the numbers of the kernel side', () => {
  const header = readFileSync(new URL('../../../bpf/include/acts.h', import.meta.url), 'utf8');
  const found = [...header.matchAll(/^\tWD_([A-Z_]+) = (\d+),/gm)]
    .map(([, name, number]) => [Number(number), name] as const)
    .filter(([number, name]) => number >= ATTACH && name !== 'OWN_COMMANDS_END');
  assert.deepEqual(Object.fromEntries(found), OWN_COMMANDS);
});
