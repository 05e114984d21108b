import assert from 'node:assert/strict';
import test from 'node:test';
import avsc from 'avsc';
import { EventError, learnSchema, ownSchemas, schemaHistory } from '#event';

test('every schema that is written is in its history', () => {
  const history = new Map(schemaHistory().map((one) => [one.fingerprint, one]));
  for (const one of ownSchemas()) assert.deepEqual(history.get(one.fingerprint), one);
});

test('what was ever written can be read, and what is written now could be read then', () => {
  for (const old of schemaHistory()) {
    learnSchema(old.text, old.fingerprint);
    const now = ownSchemas().find(({ name }) => name === old.name);
    const [before, after] = [old.text, now?.text ?? ''].map((text) =>
      avsc.Type.forSchema(JSON.parse(text)),
    );
    assert.doesNotThrow(() => before?.createResolver(after as avsc.Type), old.name);
  }
});

const [frame] = ownSchemas().filter(({ name }) => name === 'Frame');
const text = frame?.text ?? '';
const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ['{', '0'.repeat(16), /^BAD_VALUE: schema 0{16}: .*JSON/],
  ['{"type":"record"}', '0'.repeat(16), /^BAD_VALUE: schema 0{16}: /],
  ['"int"', '0'.repeat(16), /a record of another name$/],
  [
    '{"type":"record","name":"constructor","fields":[]}',
    '0'.repeat(16),
    /^BAD_VALUE: schema 0{16}: /,
  ],
  [text, '0'.repeat(16), /its fingerprint is [0-9a-f]{16}$/],
  [text.replace('"incarnation"', '"life"'), '0'.repeat(16), /^BAD_VALUE: schema 0{16}: /],
  [' '.repeat(70_000), '0'.repeat(16), /70000 characters$/],
];

test('a schema that is none, another, or cannot be read from is refused, with the reason', () => {
  for (const [schema, fingerprint, why] of REFUSED) {
    assert.throws(
      () => learnSchema(schema, fingerprint),
      (error) => error instanceof EventError && why.test(error.message),
      schema.slice(0, 60),
    );
  }
});
