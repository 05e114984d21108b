import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  BpfError,
  decodeAct,
  decodeCode,
  decodeInventory,
  decodeRecord,
  LAYOUT_VERSION,
  STRUCTS,
} from '#bpf';

const sizeOf = (name: string) => STRUCTS.find((struct) => struct.name === name) as never as Sized;

interface Sized {
  readonly size: number;
  readonly offset: Readonly<Record<string, number>>;
}

const act = sizeOf('wd_act');
const head = sizeOf('wd_record');
const facts = sizeOf('wd_facts');
const kfunc = sizeOf('wd_kfunc');
const code = sizeOf('wd_code');

/** A record as the kernel would send it, with a path and a cgroup as its tail. */
function record(path: string, cgroup: string): Buffer {
  const tail = Buffer.from(path + cgroup, 'latin1');
  const bytes = Buffer.alloc(act.size + tail.length);
  bytes.writeUInt32LE(bytes.length, head.offset.size as number);
  bytes.writeUInt16LE(1, head.offset.kind as number);
  bytes.writeUInt16LE(LAYOUT_VERSION, head.offset.layout as number);
  bytes.writeBigInt64LE(-13n, act.offset.result as number);
  bytes.writeUInt32LE(4121, act.offset.pid as number);
  bytes.writeUInt32LE(0xffffffff, act.offset.auid as number);
  bytes.write('hide', act.offset.comm as number);
  bytes.writeUInt16LE(path.length, act.offset.path_len as number);
  bytes.writeUInt16LE(cgroup.length, act.offset.cgroup_len as number);
  tail.copy(bytes, act.size);
  return bytes;
}

const sample = record('bpftool\0sbin\0usr\0', 'ssh.service\0system.slice\0');

test('a record is read: numbers, names, and paths from the leaf to the root', () => {
  const read = decodeAct(sample);
  assert.equal(read.path, '/usr/sbin/bpftool');
  assert.equal(read.cgroup, '/system.slice/ssh.service');
  assert.equal(read.result, -13);
  assert.equal(read.pid, 4121);
  assert.equal(read.auid, null, 'unset');
  assert.equal(read.comm, 'hide');
  assert.equal(read.claim, null);
  assert.equal(read.object, null);
});

test('paths are read the same again, and behind more of them than are remembered', () => {
  for (let turn = 0; turn < 2; turn++) {
    for (let n = 0; n < 1500; n++) {
      assert.equal(decodeAct(record(`x${n}\0usr\0`, '')).path, `/usr/x${n}`);
    }
    assert.equal(decodeAct(record('caf\xe9\0', 'caf\xc3\xa9\0')).path, '/caf\xe9');
    assert.equal(decodeAct(record('caf\xe9\0', 'caf\xc3\xa9\0')).cgroup, '/café');
  }
});

/** The sample with what a scan found, and a text after it. */
function scanned(): Buffer {
  const found = Buffer.alloc(facts.size);
  found.writeBigUInt64LE(1n << 36n, facts.offset.helpers as number);
  found.writeBigUInt64LE(1n << 19n, (facts.offset.helpers as number) + 24);
  found.writeUInt32LE(412, facts.offset.insn_cnt as number);
  found.write('do_unlinkat', facts.offset.attach as number);
  found.writeUInt32LE(2, facts.offset.map_count as number);
  found.writeUInt32LE(7, facts.offset.maps as number);
  found.writeUInt32LE(9, (facts.offset.maps as number) + 4);
  found.writeUInt32LE(1, facts.offset.kfunc_count as number);
  const first = facts.offset.kfuncs as number;
  found.writeUInt32LE(1, first + (kfunc.offset.module as number));
  found.write('bpf_ct_release', first + (kfunc.offset.name as number));
  const bytes = Buffer.concat([sample, found, Buffer.from('/sys/fs/bpf/x\0')]);
  bytes.writeUInt32LE(bytes.length, head.offset.size as number);
  bytes.writeUInt16LE(facts.size, act.offset.facts_len as number);
  return bytes;
}

test('what scanning found is read, and the text after it', () => {
  const read = decodeAct(scanned());
  assert.equal(read.named, '/sys/fs/bpf/x');
  assert.deepEqual(read.facts?.helpers, [36, 211]);
  assert.equal(read.facts?.insnCnt, 412);
  assert.equal(read.facts?.attach, 'do_unlinkat');
  assert.deepEqual(read.facts?.maps, [7, 9]);
  assert.deepEqual(read.facts?.kfuncs, [{ name: 'bpf_ct_release', module: true }]);
});

test('facts of another length are refused, counts beyond the room are cut', () => {
  const wrong = scanned();
  wrong.writeUInt16LE(facts.size - 1, act.offset.facts_len as number);
  assert.throws(() => decodeAct(wrong), { code: 'BAD_RECORD' });
  const many = scanned();
  many.writeUInt32LE(4_000_000_000, sample.length + (facts.offset.map_count as number));
  assert.equal(decodeAct(many).facts?.maps.length, 32);
});

/** Two of a program's three instructions. */
function codeRecord(): Buffer {
  const bytes = Buffer.alloc(code.size + 16, 7);
  bytes.writeUInt32LE(bytes.length, head.offset.size as number);
  bytes.writeUInt16LE(2, head.offset.kind as number);
  bytes.writeUInt16LE(LAYOUT_VERSION, head.offset.layout as number);
  bytes.writeUInt32LE(1, code.offset.first as number);
  bytes.writeUInt32LE(2, code.offset.count as number);
  bytes.writeUInt32LE(3, code.offset.total as number);
  return bytes;
}

test('a run of instructions is read; one that does not fit is refused', () => {
  const read = decodeCode(codeRecord());
  assert.deepEqual([read.first, read.total, read.instructions.length], [1, 3, 16]);
  for (const [field, value] of [
    ['first', 2],
    ['count', 1],
    ['count', 0xffff_ffff],
    ['total', 2],
  ] as const) {
    const wrong = codeRecord();
    wrong.writeUInt32LE(value, code.offset[field] as number);
    assert.throws(() => decodeCode(wrong), { code: 'BAD_RECORD' }, `${field} ${value}`);
  }
  assert.throws(() => decodeCode(sample), { code: 'BAD_RECORD' });
});

test('a path that is no UTF-8 keeps its bytes', () => {
  assert.equal(decodeAct(record('\xff\xfe\0tmp\0', '')).path, '/tmp/\xff\xfe');
});

test('every truncation is refused', () => {
  for (let length = 0; length < sample.length; length++) {
    assert.throws(() => decodeAct(sample.subarray(0, length)), { code: 'BAD_RECORD' });
  }
});

test('random and mutated records are read or refused, nothing else', () => {
  const check = (bytes: Uint8Array) => {
    try {
      decodeAct(bytes);
    } catch (error) {
      assert.ok(error instanceof BpfError, String(error));
    }
  };
  fc.assert(
    fc.property(fc.nat(sample.length - 1), fc.nat(255), (at, value) => {
      const copy = Buffer.from(sample);
      copy[at] = value;
      check(copy);
    }),
    { numRuns: 5000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      check(bytes);
      check(Buffer.concat([sample.subarray(0, 24), bytes]));
    }),
    { numRuns: 3000 },
  );
});

test('an inventory of a length that no iterator writes is refused', () => {
  assert.throws(() => decodeInventory(new Uint8Array(7)), { code: 'BAD_RECORD' });
  assert.deepEqual(decodeInventory(new Uint8Array(0)), []);
});

test('what warden-load gave is told apart from acts, and read whole', () => {
  const struct = STRUCTS.find(({ name }) => name === 'wd_raised');
  assert.ok(struct);
  const bytes = new Uint8Array(struct.size);
  const to = new DataView(bytes.buffer);
  const at = (field: string) => struct.offset[field] as number;
  to.setUint32(0, struct.size, true);
  to.setUint16(4, 3, true);
  to.setUint16(6, LAYOUT_VERSION, true);
  to.setUint32(at('subject'), 1, true);
  to.setUint32(at('subject') + 4, 10001, true);
  to.setUint32(at('kind'), 2, true);
  to.setUint32(at('action'), 1, true);
  to.setBigUint64(at('commands'), 33n, true);
  to.setBigUint64(at('until_boot_ns'), 99n, true);
  to.setBigUint64(at('issued_ms'), 1234n, true);
  bytes.set(Buffer.from('0123abcd'), at('id'));
  bytes.set(Buffer.from('carol'), at('author'));
  bytes.set(Buffer.from('outage'), at('reason'));
  assert.deepEqual(decodeRecord(bytes), {
    raised: {
      bootNs: 0n,
      lost: 0,
      subject: { kind: 1, id: 10001 },
      kind: 2,
      action: 1,
      tier: 0,
      commands: 33n,
      untilBootNs: 99n,
      issuedMs: 1234,
      id: '0123abcd',
      idHex: Buffer.from('0123abcd').toString('hex').padEnd(64, '0'),
      author: 'carol',
      reason: 'outage',
    },
  });
  assert.throws(() => decodeRecord(bytes.subarray(0, 100)), { code: 'BAD_RECORD' });
  assert.throws(() => decodeRecord(bytes.subarray(0, 3)), { code: 'BAD_RECORD' });
});
