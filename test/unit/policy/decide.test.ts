import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { ATTACH_TYPES, COMMANDS, HELPERS, MAP_TYPES, PROGRAM_TYPES } from '#event';
import {
  type ActNumbers,
  type DecideMasks,
  DIMENSIONS,
  decideAct,
  defaultPolicy,
  grantMasks,
  type Policy,
  ruleName,
} from '#policy';
import { actArb, masksArb } from '../../../packages/testkit/decide-cases.ts';
import { check } from '../trust/property.ts';
import { policyOf } from './support.ts';

const masksOf = (policy: Policy): Map<string, DecideMasks> =>
  new Map(
    grantMasks(policy).map(({ kfuncs, ...grant }) => [
      grant.name,
      { ...grant, kfuncs: kfuncs.includes('*') ? ALL : 0n },
    ]),
  );
const ALL = (1n << 256n) - 1n;
const grants = masksOf(policyOf('version: 1\nmode: enforce\n'));
const observing = masksOf(defaultPolicy());
const grant = (name: string, from = grants): DecideMasks => {
  const found = from.get(name);
  assert.ok(found !== undefined, name);
  return found;
};

const NOTHING: ActNumbers = {
  command: null,
  progType: null,
  mapType: null,
  attachType: null,
  helpers: null,
  beyond: false,
  kfuncs: null,
  foreign: null,
  signer: null,
  serial: 0,
};
const act = (command: string, more: { prog?: string; map?: string; attach?: string } = {}) => ({
  ...NOTHING,
  command: COMMANDS.indexOf(command),
  progType: more.prog === undefined ? null : PROGRAM_TYPES.indexOf(more.prog),
  mapType: more.map === undefined ? null : MAP_TYPES.indexOf(more.map),
  attachType: more.attach === undefined ? null : ATTACH_TYPES.indexOf(more.attach),
});
const calls = (...names: string[]): ActNumbers => ({
  ...NOTHING,
  helpers: names.reduce((bits, name) => bits | (1n << BigInt(HELPERS.indexOf(name))), 0n),
});

test('golden: what the tiers may do', () => {
  const kprobe = act('PROG_LOAD', { prog: 'KPROBE' });
  const rows: readonly [ActNumbers, string, string, number][] = [
    [act('TOKEN_CREATE'), 'all', 'all', 0],
    [act('TOKEN_CREATE'), 'standard', 'all', 1],
    [kprobe, 'standard', 'all', 0],
    [kprobe, 'restricted', 'all', 2],
    [act('PROG_LOAD', { prog: 'LSM' }), 'standard', 'all', 2],
    [act('PROG_LOAD', { prog: 'TRACING', attach: 'TRACE_FENTRY' }), 'standard', 'all', 0],
    [act('PROG_LOAD', { prog: 'TRACING', attach: 'MODIFY_RETURN' }), 'standard', 'all', 4],
    [act('MAP_CREATE', { map: 'STRUCT_OPS' }), 'standard', 'all', 3],
    [act('MAP_CREATE', { map: 'HASH' }), 'restricted', 'all', 0],
    [act('MAP_CREATE', { map: 'PROG_ARRAY' }), 'restricted', 'all', 3],
    [act('MAP_LOOKUP_ELEM'), 'quarantined', 'all', 0],
    [act('MAP_UPDATE_ELEM'), 'quarantined', 'all', 1],
    [act('MAP_LOOKUP_ELEM'), 'none', 'all', 1],
    [calls('map_lookup_elem', 'probe_read_kernel'), 'standard', 'all', 0],
    [calls('map_lookup_elem', 'probe_write_user'), 'standard', 'all', 5],
    [calls('map_lookup_elem', 'probe_write_user'), 'all', 'all', 0],
    [calls('probe_read_kernel'), 'restricted', 'all', 5],
    [calls('send_signal_thread'), 'all', 'standard', 21],
    [{ ...NOTHING, helpers: 0n, beyond: true }, 'all', 'all', 5],
    [{ ...NOTHING, kfuncs: 1n }, 'standard', 'all', 0],
    [{ ...NOTHING, kfuncs: 1n }, 'restricted', 'all', 6],
    [{ ...NOTHING, foreign: true }, 'standard', 'all', 0],
    [{ ...NOTHING, foreign: true }, 'restricted', 'all', 7],
    [{ ...NOTHING, foreign: false }, 'restricted', 'all', 0],
    [act('TOKEN_CREATE'), 'all', 'standard', 17],
    [kprobe, 'all', 'restricted', 18],
    [act('MAP_CREATE', { map: 'ARENA' }), 'all', 'restricted', 19],
    [act('TOKEN_CREATE'), 'standard', 'none', 1],
    [kprobe, 'restricted', 'none', 2],
  ];
  for (const [what, tier, loader, rule] of rows) {
    const refused = (decision: string) => ({ decision: rule === 0 ? 'allow' : decision, rule });
    assert.deepEqual(decideAct(what, grant(tier), grant(loader)), refused('deny'));
    const watched = decideAct(what, grant(tier, observing), grant(loader, observing));
    assert.deepEqual(watched, refused('would_deny'));
  }
});

test('golden: who signed', () => {
  const asking = masksOf(
    policyOf(`version: 1
mode: enforce
grants:
  standard: { commands: [], program_types: [], map_types: [], signature: [builtin, "keyring:7"] }
`),
  );
  const rows: readonly [signer: number, serial: number, asked: number][] = [
    [0, 0, 8],
    [1, 1, 0],
    [2, 2, 8],
    [4, 7, 0],
    [4, 8, 8],
  ];
  for (const [signer, serial, rule] of rows) {
    const by = { ...NOTHING, signer, serial };
    const found = decideAct(by, grant('standard', asking), grant('all'));
    assert.equal(found.rule, rule, `${signer} ${serial}`);
    const free = decideAct(by, grant('standard'), grant('all'));
    assert.equal(free.rule, 0, 'a grant that does not ask takes anybody');
  }
});

test('a rule that observes does not hide one that enforces', () => {
  const some = masksOf(
    policyOf(`version: 1
mode: enforce
grants:
  standard: { commands: [], program_types: [], map_types: [], observe: [commands, objects] }
`),
  );
  const kprobe = act('PROG_LOAD', { prog: 'KPROBE' });
  const standard = grant('standard', some);
  assert.deepEqual(decideAct(kprobe, standard, grant('all')), { decision: 'deny', rule: 2 });
  const token = act('TOKEN_CREATE');
  assert.deepEqual(decideAct(token, standard, grant('all')), { decision: 'would_deny', rule: 1 });
  assert.deepEqual(decideAct(token, standard, grant('none')), { decision: 'deny', rule: 17 });
});

test('an act is allowed exactly when both grants have all of its bits', () => {
  const has = (bits: bigint, n: number | null, size: number): boolean =>
    n === null ||
    (n >= 0 &&
      n < size &&
      bits
        .toString(2)
        .padStart(size, '0')
        .at(size - 1 - n) === '1');
  const within = (bits: bigint, all: bigint | null): boolean =>
    all === null || (all | bits) === bits;
  check(
    fc.property(actArb, masksArb, masksArb, (what, tier, loader) => {
      const all = [tier, loader].every(
        (one) =>
          has(one.commands, what.command, 64) &&
          has(one.programTypes, what.progType, 64) &&
          has(one.mapTypes, what.mapType, 64) &&
          has(one.attachTypes, what.attachType, 128) &&
          within(one.helpers, what.helpers) &&
          !(what.helpers !== null && what.beyond) &&
          within(one.kfuncs, what.kfuncs) &&
          (one.foreign || what.foreign !== true) &&
          has(BigInt(one.keyrings), what.signer, 5) &&
          (what.signer !== 4 || one.serial === 0 || what.serial === one.serial),
      );
      const { decision, rule } = decideAct(what, tier, loader);
      assert.equal(decision === 'allow', all);
      assert.equal(rule === 0, all);
    }),
  );
});

const ORDER = { allow: 0, would_deny: 1, deny: 2 } as const;

test('taking bits from a grant, or enforcing more of it, never allows more', () => {
  check(
    fc.property(actArb, masksArb, masksArb, masksArb, (what, tier, loader, less) => {
      const cut: DecideMasks = {
        commands: tier.commands & less.commands,
        programTypes: tier.programTypes & less.programTypes,
        mapTypes: tier.mapTypes & less.mapTypes,
        attachTypes: tier.attachTypes & less.attachTypes,
        helpers: tier.helpers & less.helpers,
        kfuncs: tier.kfuncs & less.kfuncs,
        foreign: tier.foreign && less.foreign,
        keyrings: tier.keyrings & less.keyrings,
        serial: tier.serial,
        enforce: tier.enforce | less.enforce,
      };
      const before = decideAct(what, tier, loader).decision;
      const after = decideAct(what, cut, loader).decision;
      assert.ok(ORDER[after] >= ORDER[before]);
    }),
  );
});

test('rules have the numbers of the kernel side, and names', () => {
  const header = readFileSync(new URL('../../../bpf/include/warden.h', import.meta.url), 'utf8');
  const names = { tier: 'standard', loader: 'cilium' };
  const of = (pattern: RegExp): number[] =>
    [...header.matchAll(pattern)].map(([, value]) => Number(value));
  const dimensions = of(/WD_DIM_[A-Z_]+ = (\d+)/g);
  assert.deepEqual(
    dimensions.map((number) => ruleName(number, names)),
    DIMENSIONS.map((key) => `tiers.standard.${key}`),
  );
  const [loader = 0] = of(/WD_RULE_LOADER = (\d+)/g);
  assert.deepEqual(
    dimensions.map((number) => ruleName(loader + number, names)),
    DIMENSIONS.map((key) => `loaders.cilium.${key}`),
  );
  const guard = of(/WD_RULE_(?:UNSCANNED|NO_MEMORY|PROTECTED|HIDDEN|FILTER|BPFFS) = (\d+)/g).map(
    (n) => ruleName(n, names),
  );
  assert.deepEqual(guard, [
    'guard.unscanned',
    'guard.no_memory',
    'guard.protected',
    'guard.hidden',
    'guard.classic_filter',
    'guard.bpffs',
  ]);
  const unknown = ruleName(18, { tier: 'standard', loader: null });
  assert.equal(unknown, 'loaders.unknown.program_types');
  for (const rule of [0, 9, 16, 25, 38, 1.5]) assert.equal(ruleName(rule, names), null);
});
