import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { BpfError, decodeAct, decodeInventory, STRUCTS } from '#bpf';

const sizeOf = (name: string) => STRUCTS.find((struct) => struct.name === name) as never as Sized;

interface Sized {
  readonly size: number;
  readonly offset: Readonly<Record<string, number>>;
}

const act = sizeOf('wd_act');
const head = sizeOf('wd_record');

/** A record as the kernel would send it, with a path and a cgroup as its tail. */
function record(path: string, cgroup: string): Buffer {
  const tail = Buffer.from(path + cgroup, 'latin1');
  const bytes = Buffer.alloc(act.size + tail.length);
  bytes.writeUInt32LE(bytes.length, head.offset.size as number);
  bytes.writeUInt16LE(1, head.offset.kind as number);
  bytes.writeUInt16LE(1, head.offset.layout as number);
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
