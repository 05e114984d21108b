import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import test from 'node:test';
import { STRUCTS } from '#bpf';

const OBJECT = resolve(import.meta.dirname, '../../bpf/build/audit.bpf.o');

interface BtfType {
  readonly kind: string;
  readonly name: string;
  readonly size: number;
  readonly members?: readonly { readonly name: string; readonly bits_offset: number }[];
}

/** The compiler's own account of the structs, from the BTF of the BPF object. */
function btfStructs(): Map<string, BtfType> {
  const dump = execFileSync('bpftool', ['-j', 'btf', 'dump', 'file', OBJECT], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const { types } = JSON.parse(dump) as { types: BtfType[] };
  return new Map(types.filter(({ kind }) => kind === 'STRUCT').map((type) => [type.name, type]));
}

const compiled = btfStructs();

for (const { name, size, offset } of STRUCTS) {
  test(`struct ${name}: size and offsets are the compiler's`, () => {
    const type = compiled.get(name);
    assert.ok(type, `${name} is not in the object's BTF`);
    assert.equal(size, type.size);
    const members = Object.fromEntries(
      (type.members ?? []).map((member) => [member.name, member.bits_offset / 8]),
    );
    assert.deepEqual({ ...offset }, members);
  });
}
