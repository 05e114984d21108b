import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import test from 'node:test';
import avsc from 'avsc';
import { encode, HEADER_BYTES, lane, laneOf, ownSchemas, principalKey } from '#event';
import { controlOf, isAuthentic, seal } from '#fold';

const KEY = Buffer.alloc(32, 5);
const NOBODY = principalKey('uid:1@corp');
const CONTROL = seal(
  'Control',
  controlOf({ id: 'due/1', lane: lane(laneOf(NOBODY)), kind: 'due', principal: NOBODY, timeMs: 1 }),
  KEY,
);
const SEALED = ['Control', 'Override', 'External'] as const;

const schemaOf = (name: string) =>
  JSON.parse(ownSchemas().find((one) => one.name === name)?.text ?? '') as {
    fields: { name: string; type: unknown; default?: unknown }[];
  };

test('a sealed record is authentic as it was written, under its key, as what it is', () => {
  const value = encode('Control', CONTROL);
  assert.equal(isAuthentic('Control', value, KEY), true);
  assert.equal(isAuthentic('Control', value, Buffer.alloc(32, 6)), false);
  assert.equal(isAuthentic('Override', value, KEY), false);
});

test('one that was changed anywhere, cut or made longer is not', () => {
  const value = Buffer.from(encode('Control', CONTROL));
  for (let at = 0; at < value.length; at++) {
    const changed = Buffer.from(value);
    changed[at] = (changed[at] as number) ^ 1;
    assert.equal(isAuthentic('Control', changed, KEY), false, `byte ${at}`);
    assert.equal(isAuthentic('Control', value.subarray(0, at), KEY), false, `cut at ${at}`);
  }
  assert.equal(isAuthentic('Control', Buffer.concat([value, Buffer.of(0)]), KEY), false);
});

test('so is one of a product to come, whose fields stand before the MAC', () => {
  const schema = schemaOf('Control');
  schema.fields.splice(-1, 0, { name: 'author', type: 'string', default: '' });
  const type = avsc.Type.forSchema(schema as unknown as avsc.Schema);
  const header = Buffer.alloc(HEADER_BYTES, 0xc3);
  const write = (mac: Uint8Array) =>
    Buffer.concat([header, type.toBuffer({ ...CONTROL, author: 'somebody', mac })]);
  const open = write(Buffer.alloc(0));
  const mac = createHmac('sha256', KEY).update('bpf-warden/control/1').update(open).digest();
  assert.equal(isAuthentic('Control', write(mac), KEY), true);
  assert.equal(isAuthentic('Control', write(Buffer.alloc(32)), KEY), false);
});

test('the MAC is the last field of all that are sealed so', () => {
  for (const name of SEALED) assert.equal(schemaOf(name).fields.at(-1)?.name, 'mac', name);
});
