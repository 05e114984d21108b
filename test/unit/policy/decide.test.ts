import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { COMMANDS, MAP_TYPES, PROGRAM_TYPES } from '#event';
import { decideAct, defaultPolicy, type GrantMasks, grantMasks, ruleName } from '#policy';
import { check } from '../trust/property.ts';

const grants = grantMasks(defaultPolicy());
const grant = (name: string): GrantMasks => {
  const found = grants.find((one) => one.name === name);
  assert.ok(found !== undefined, name);
  return found;
};

const act = (command: string, types: { prog?: string; map?: string } = {}) => ({
  command: COMMANDS.indexOf(command),
  progType: types.prog === undefined ? null : PROGRAM_TYPES.indexOf(types.prog),
  mapType: types.map === undefined ? null : MAP_TYPES.indexOf(types.map),
});

test('golden: what the tiers may do', () => {
  const kprobe = act('PROG_LOAD', { prog: 'KPROBE' });
  const rows: readonly [ReturnType<typeof act>, string, string, number][] = [
    [act('TOKEN_CREATE'), 'all', 'all', 0],
    [act('TOKEN_CREATE'), 'standard', 'all', 1],
    [kprobe, 'standard', 'all', 0],
    [kprobe, 'restricted', 'all', 2],
    [act('PROG_LOAD', { prog: 'LSM' }), 'standard', 'all', 2],
    [act('MAP_CREATE', { map: 'STRUCT_OPS' }), 'standard', 'all', 3],
    [act('MAP_CREATE', { map: 'HASH' }), 'restricted', 'all', 0],
    [act('MAP_CREATE', { map: 'PROG_ARRAY' }), 'restricted', 'all', 3],
    [act('MAP_LOOKUP_ELEM'), 'quarantined', 'all', 0],
    [act('MAP_UPDATE_ELEM'), 'quarantined', 'all', 1],
    [act('MAP_LOOKUP_ELEM'), 'none', 'all', 1],
    [act('TOKEN_CREATE'), 'all', 'standard', 4],
    [kprobe, 'all', 'restricted', 5],
    [act('MAP_CREATE', { map: 'ARENA' }), 'all', 'restricted', 6],
    [act('TOKEN_CREATE'), 'standard', 'none', 1],
    [kprobe, 'restricted', 'none', 2],
  ];
  for (const [what, tier, loader, rule] of rows) {
    const decision = rule === 0 ? 'allow' : 'deny';
    assert.deepEqual(decideAct(what, grant(tier), grant(loader)), { decision, rule });
  }
});

const mask = fc.bigInt(0n, 0xffff_ffff_ffff_ffffn);
const masks = fc.record({ commands: mask, programTypes: mask, mapTypes: mask });
const number = fc.oneof(fc.integer({ min: -2, max: 70 }), fc.constantFrom(9999, 2 ** 31));
const actArb = fc.record({
  command: number,
  progType: fc.option(number),
  mapType: fc.option(number),
});

test('an act is allowed exactly when both grants have all of its bits', () => {
  const has = (bits: bigint, n: number | null): boolean =>
    n === null ||
    (n >= 0 &&
      n < 64 &&
      bits
        .toString(2)
        .padStart(64, '0')
        .at(63 - n) === '1');
  check(
    fc.property(actArb, masks, masks, (what, tier, loader) => {
      const all = [tier, loader].every(
        (one) =>
          has(one.commands, what.command) &&
          has(one.programTypes, what.progType) &&
          has(one.mapTypes, what.mapType),
      );
      const { decision, rule } = decideAct(what, tier, loader);
      assert.equal(decision, all ? 'allow' : 'deny');
      assert.equal(rule === 0, all);
    }),
  );
});

test('taking bits from a grant never allows more', () => {
  check(
    fc.property(actArb, masks, masks, masks, (what, tier, loader, less) => {
      const cut = {
        commands: tier.commands & less.commands,
        programTypes: tier.programTypes & less.programTypes,
        mapTypes: tier.mapTypes & less.mapTypes,
      };
      const before = decideAct(what, tier, loader).decision;
      const after = decideAct(what, cut, loader).decision;
      assert.ok(!(before === 'deny' && after === 'allow'));
    }),
  );
});

test('rules have the numbers of the kernel side, and names', () => {
  const header = readFileSync(new URL('../../../bpf/include/warden.h', import.meta.url), 'utf8');
  const numbers = [...header.matchAll(/WD_RULE_([A-Z_]+) = (\d+)/g)].map(([, name, value]) => [
    name,
    ruleName(Number(value), { tier: 'standard', loader: 'cilium' }),
  ]);
  assert.deepEqual(numbers, [
    ['NONE', null],
    ['TIER_COMMAND', 'tiers.standard.commands'],
    ['TIER_PROG_TYPE', 'tiers.standard.program_types'],
    ['TIER_MAP_TYPE', 'tiers.standard.map_types'],
    ['LOADER_COMMAND', 'loaders.cilium.commands'],
    ['LOADER_PROG_TYPE', 'loaders.cilium.program_types'],
    ['LOADER_MAP_TYPE', 'loaders.cilium.map_types'],
  ]);
  assert.equal(ruleName(5, { tier: 'standard', loader: null }), 'loaders.unknown.program_types');
  assert.equal(ruleName(7, { tier: 'standard', loader: null }), null);
  assert.equal(ruleName(1.5, { tier: 'standard', loader: null }), null);
});
