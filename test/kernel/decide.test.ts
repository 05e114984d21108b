import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { DecideCase, Grant, native } from '#bpf';
import { compilePolicy, decideAct, defaultPolicy, type GrantMasks } from '#policy';
import { dose, place, seed, Warden } from '#testkit';

const LOADER = resolve(import.meta.dirname, '../../bpf/build/warden-load');
const RUNS = dose === 'full' ? 200_000 : 5000;
const JUDGED_PROG_TYPE = 1;
const JUDGED_MAP_TYPE = 2;

type Masks = Omit<GrantMasks, 'name'>;
type Numbers = { command: number; progType: number | null; mapType: number | null };

function contextOf(act: Numbers, tier: Masks, loader: Masks): Uint8Array {
  const bytes = new Uint8Array(DecideCase.size);
  const view = new DataView(bytes.buffer);
  const { command, judged, prog_type, map_type } = DecideCase.offset;
  view.setUint32(command, act.command, true);
  const prog = act.progType === null ? 0 : JUDGED_PROG_TYPE;
  const map = act.mapType === null ? 0 : JUDGED_MAP_TYPE;
  view.setUint32(judged, prog | map, true);
  view.setUint32(prog_type, act.progType ?? 0, true);
  view.setUint32(map_type, act.mapType ?? 0, true);
  const put = (at: number, masks: Masks) => {
    view.setBigUint64(at + Grant.offset.commands, masks.commands, true);
    view.setBigUint64(at + Grant.offset.prog_types, masks.programTypes, true);
    view.setBigUint64(at + Grant.offset.map_types, masks.mapTypes, true);
  };
  put(DecideCase.offset.tier, tier);
  put(DecideCase.offset.loader, loader);
  return bytes;
}

const mask = fc.bigInt(0n, (1n << 64n) - 1n);
const masks = fc.record({ commands: mask, programTypes: mask, mapTypes: mask });
const number = fc.oneof(fc.nat(70), fc.nat(2 ** 31));
const act = fc.record({ command: number, progType: fc.option(number), mapType: fc.option(number) });

test('the decision in the kernel and its TypeScript twin agree', () => {
  console.log(`seed ${seed}`);
  const at = place('decide');
  const policy = join(at.root, 'policy.compiled');
  writeFileSync(policy, compilePolicy(defaultPolicy()));
  execFileSync(LOADER, ['load', '--dir', at.run, '--policy', policy, '--gid', '0']);
  try {
    const fd = native().objGet(join(at.run, 'bpf/decide'), 0);
    fc.assert(
      fc.property(act, masks, masks, (numbers, tier, loader) => {
        const context = contextOf(numbers, tier, loader);
        native().progTestRun(fd, context);
        const rule = new DataView(context.buffer).getUint32(DecideCase.offset.rule, true);
        assert.equal(rule, decideAct(numbers, tier, loader).rule);
      }),
      { numRuns: RUNS, seed },
    );
    native().closeFd(fd);
  } finally {
    Warden.unload(at);
    at.remove();
  }
});
