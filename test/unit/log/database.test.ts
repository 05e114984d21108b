import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { it } from 'node:test';
import { Database, LogError, type LogErrorCode } from '#log';
import { placeFor } from './place.ts';

function throwsCode(work: () => unknown, code: LogErrorCode, message = /./): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof LogError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

function edit(file: string, ...statements: string[]): void {
  const handle = new DatabaseSync(file);
  for (const statement of statements) handle.exec(statement);
  handle.close();
}

it('Database makes a file that its group may read and others not', () => {
  const file = placeFor('new');
  const database = new Database(file);
  assert.equal(statSync(file).mode & 0o777 & ~0o640, 0);
  assert.equal(database.pragma('auto_vacuum'), 2);
  assert.deepEqual(database.get('PRAGMA journal_mode'), ['wal']);
  assert.equal(database.pragma('synchronous'), 1);
  database.close();
  const full = new Database(file, { synchronous: 'FULL' });
  assert.equal(full.pragma('synchronous'), 2);
  full.close();
});

it('Database makes the file also where one of the same pid was killed as it made it', () => {
  const file = placeFor('killed');
  writeFileSync(`${file}.new-${process.pid}-0`, '', { mode: 0o666 });
  new Database(file).close();
  assert.equal(statSync(file).mode & 0o777 & ~0o640, 0);
  assert.equal(existsSync(`${file}.new-${process.pid}-0`), false);
});

it('Database leaves the database of another program as it is', () => {
  for (const statement of ['PRAGMA application_id = 7', 'CREATE TABLE theirs (a)']) {
    const file = placeFor('foreign');
    edit(file, 'PRAGMA page_size = 512', 'CREATE TABLE other (a)', statement);
    const before = readFileSync(file);
    throwsCode(() => new Database(file), 'FOREIGN', /another program/);
    throwsCode(() => new Database(file, { readOnly: true }), 'FOREIGN');
    assert.deepEqual(readFileSync(file), before);
  }
});

it('Database refuses a newer layout, and a damaged one', () => {
  const file = placeFor('newer');
  new Database(file).close();
  edit(file, 'PRAGMA user_version = 3');
  throwsCode(() => new Database(file), 'NEWER', /layout 3, this software knows 2/);
  edit(file, 'PRAGMA user_version = 1');
  throwsCode(() => new Database(file), 'CORRUPT', /layout 1, of an older version.*move log\.db/);
  edit(file, 'PRAGMA user_version = 2', 'DROP TABLE position');
  throwsCode(() => new Database(file), 'CORRUPT', /move log\.db/);
  throwsCode(() => new Database(file, { readOnly: true }), 'CORRUPT');
});

it('Database calls a file that is no database damaged, an empty one new', () => {
  const file = placeFor('garbage');
  writeFileSync(file, Buffer.alloc(8192, 0x5a));
  throwsCode(() => new Database(file), 'CORRUPT');
  writeFileSync(file, '');
  throwsCode(() => new Database(file, { readOnly: true }), 'CANNOT_OPEN');
  new Database(file).close();
});

it('Database says what cannot be opened', () => {
  const file = placeFor('missing');
  throwsCode(() => new Database(file, { readOnly: true }), 'CANNOT_OPEN');
  throwsCode(() => new Database(`${file}/no/such/directory`), 'CANNOT_OPEN');
  mkdirSync(file);
  throwsCode(() => new Database(file), 'CANNOT_OPEN');
});

it('Database writes all of a transaction or nothing', () => {
  const database = new Database(placeFor('transaction'));
  const insert = (source: string) => database.run('INSERT INTO position VALUES (?, 0, 0)', source);
  const failing = () =>
    database.write(() => {
      insert('a');
      throw new RangeError('half way');
    });
  throwsCode(failing, 'INTERNAL', /half way/);
  database.write(() => insert('b'));
  assert.deepEqual(database.all('SELECT source FROM position'), [['b']]);
  throwsCode(() => database.write(() => insert('b')), 'CORRUPT');
  database.close();
  throwsCode(() => insert('c'), 'CLOSED');
});

it('Database only reads when told so', () => {
  const file = placeFor('reader');
  const writer = new Database(file);
  const reader = new Database(file, { readOnly: true });
  throwsCode(() => reader.write(() => undefined), 'READ_ONLY');
  throwsCode(() => reader.run('DELETE FROM position'), 'READ_ONLY');
  reader.pin();
  writer.write(() => writer.run('INSERT INTO position VALUES (?, 0, 0)', 'later'));
  assert.deepEqual(reader.all('SELECT source FROM position'), []);
  reader.close();
  writer.close();
});

it('Database does not keep a read open that stopped early', () => {
  const file = placeFor('early');
  const database = new Database(file);
  database.each('SELECT name FROM topic', [], () => false);
  database.write(() => database.run('INSERT INTO position VALUES (?, 0, 0)', 'a'));
  assert.deepEqual(database.get('PRAGMA wal_checkpoint(TRUNCATE)'), [0, 0, 0]);
  database.close();
});
