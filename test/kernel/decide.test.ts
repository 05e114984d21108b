import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { DecideCase, Grant, native } from '#bpf';
import { hostName } from '#event';
import {
  type ActNumbers,
  compilePolicy,
  type DecideMasks,
  decideAct,
  defaultPolicy,
} from '#policy';
import { dose, place, seed, Warden } from '#testkit';
import { actArb, masksArb } from '../../packages/testkit/decide-cases.ts';

const LOADER = resolve(import.meta.dirname, '../../bpf/build/warden-load');
const RUNS = dose === 'full' ? 200_000 : 5000;
const DECISIONS = ['allow', 'deny', 'would_deny'];

/** A number of `words` times 64 bits, little-endian. */
function putBits(view: DataView, at: number, words: number, bits: bigint): void {
  for (let word = 0; word < words; word++) {
    const part = (bits >> BigInt(word * 64)) & 0xffff_ffff_ffff_ffffn;
    view.setBigUint64(at + word * 8, part, true);
  }
}

function putGrant(view: DataView, at: number, masks: DecideMasks): void {
  const o = Grant.offset;
  putBits(view, at + o.commands, 1, masks.commands);
  putBits(view, at + o.prog_types, 1, masks.programTypes);
  putBits(view, at + o.map_types, 1, masks.mapTypes);
  putBits(view, at + o.attach_types, 2, masks.attachTypes);
  putBits(view, at + o.helpers, 4, masks.helpers);
  putBits(view, at + o.kfuncs, 4, masks.kfuncs);
  view.setUint32(at + o.enforce, masks.enforce, true);
  view.setUint32(at + o.foreign, masks.foreign ? 1 : 0, true);
  view.setUint32(at + o.keyrings, masks.keyrings, true);
  view.setInt32(at + o.keyring_serial, masks.serial, true);
}

function contextOf(act: ActNumbers, tier: DecideMasks, loader: DecideMasks): Uint8Array {
  const bytes = new Uint8Array(DecideCase.size);
  const view = new DataView(bytes.buffer);
  const o = DecideCase.offset;
  const { command, progType, mapType, attachType, helpers, kfuncs, foreign } = act;
  const { signer, serial } = act;
  const given = [command, progType, mapType, attachType, helpers, kfuncs, foreign, signer];
  const judged = given.reduce<number>(
    (bits, one, i) => (one === null ? bits : bits | (1 << (i + 1))),
    0,
  );
  view.setUint32(o.judged, judged, true);
  view.setUint32(o.command, command ?? 0, true);
  view.setUint32(o.prog_type, progType ?? 0, true);
  view.setUint32(o.map_type, mapType ?? 0, true);
  view.setUint32(o.attach_type, attachType ?? 0, true);
  view.setUint32(o.foreign, foreign ? 1 : 0, true);
  view.setUint32(o.signer, signer ?? 0, true);
  view.setInt32(o.serial, serial, true);
  putBits(view, o.helpers, 4, helpers ?? 0n);
  putBits(view, o.kfuncs, 4, kfuncs ?? 0n);
  view.setUint32(o.beyond, act.beyond ? 1 : 0, true);
  putGrant(view, o.tier, tier);
  putGrant(view, o.loader, loader);
  return bytes;
}

test('the decision in the kernel and its TypeScript twin agree', () => {
  console.log(`seed ${seed}`);
  const at = place('decide');
  const policy = join(at.root, 'policy.compiled');
  writeFileSync(policy, compilePolicy(defaultPolicy(), { host: hostName('test') }));
  execFileSync(LOADER, ['load', '--dir', at.run, '--policy', policy, '--gid', '0']);
  try {
    const fd = native().objGet(join(at.run, 'bpf/decide'), 0);
    fc.assert(
      fc.property(actArb, masksArb, masksArb, (numbers, tier, loader) => {
        const context = contextOf(numbers, tier, loader);
        native().progTestRun(fd, context);
        const u32 = (at: number) => new DataView(context.buffer).getUint32(at, true);
        const { rule, decision } = DecideCase.offset;
        const found = { decision: DECISIONS[u32(decision)], rule: u32(rule) };
        assert.deepEqual(found, decideAct(numbers, tier, loader));
      }),
      { numRuns: RUNS, seed },
    );
    native().closeFd(fd);
  } finally {
    Warden.unload(at);
    at.remove();
  }
});
