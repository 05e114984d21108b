import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { threadId } from 'node:worker_threads';
import { corrupt, LogError, toLogError } from './errors.ts';
import { TOPICS } from './port.ts';
import { type Row, rowCrc } from './rows.ts';
import { APPLICATION_ID, FIRST_ROOT, LAYOUT, LAYOUT_VERSION } from './schema.ts';

export interface DatabaseOptions {
  readonly readOnly?: boolean;
  /**
   * NORMAL: a commit survives the death of the process; a power cut may take the last ones, never
   * part of one. FULL: also survives a power cut, for one fsync a commit.
   */
  readonly synchronous?: 'NORMAL' | 'FULL';
}

/** How long a connection waits for another's lock before it answers LOCKED. */
const BUSY_MS = 5000;
const PAGE_BYTES = 4096;
/** Pages in the write-ahead log before they are moved into the file. */
const CHECKPOINT_PAGES = 1000;
/** The write-ahead log is cut back to this once all of it has been moved. */
const WAL_KEPT_BYTES = 16 * 1024 * 1024;
/** The owner writes; its group may read: events say who did what. */
const FILE_MODE = 0o640;

/**
 * One connection to a store's file, with errors as `LogError`. All SQL is constant text: statements
 * are prepared once and kept.
 */
export class Database {
  readonly file: string;
  readonly readOnly: boolean;
  private readonly handle: DatabaseSync;
  private readonly statements = new Map<string, StatementSync>();

  /** Opens `file`, made when missing unless `readOnly`. Throws `LogError`. */
  constructor(file: string, options: DatabaseOptions = {}) {
    this.file = file;
    this.readOnly = options.readOnly ?? false;
    this.handle = this.guard(() => this.open());
    try {
      this.guard(() => this.prepareFile(options.synchronous ?? 'NORMAL'));
    } catch (error) {
      this.handle.close();
      throw error;
    }
  }

  private open(): DatabaseSync {
    const options = { readOnly: this.readOnly, timeout: BUSY_MS, returnArrays: true };
    if (!this.readOnly) {
      create(this.file);
      return new DatabaseSync(this.file, options);
    }
    const handle = new DatabaseSync(this.file, options);
    try {
      handle.prepare('PRAGMA schema_version').get();
      return handle;
    } catch (error) {
      handle.close();
      if (!this.isAtRest()) throw error;
      // Even a reader makes a -shm file, which a read-only medium refuses. Nobody writes there.
      const url = pathToFileURL(this.file);
      url.searchParams.set('immutable', '1');
      return new DatabaseSync(url, options);
    }
  }

  /** A file without a write-ahead log: all that was committed is in the file itself. */
  private isAtRest(): boolean {
    return existsSync(this.file) && sizeOf(`${this.file}-wal`) === 0;
  }

  private prepareFile(synchronous: 'NORMAL' | 'FULL'): void {
    // A malformed page is found when it is read, before it is used.
    this.handle.exec('PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF');
    if (!this.readOnly) this.configure(synchronous);
    if (this.isNew()) {
      if (this.readOnly) throw new LogError('CANNOT_OPEN', `${this.file}: nothing in it yet`);
      this.write(() => {
        if (this.isNew()) this.createLayout();
      });
      // Into the file at once: should -wal be lost later, the file must not look like a new one.
      this.all('PRAGMA wal_checkpoint(TRUNCATE)');
    }
    this.checkLayout();
  }

  private configure(synchronous: 'NORMAL' | 'FULL'): void {
    // Both are settled by the first table, without effect later.
    if (this.isNew()) {
      this.handle.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA auto_vacuum = INCREMENTAL`);
    }
    this.checkOwner();
    this.handle.exec('PRAGMA journal_mode = WAL');
    this.handle.exec(`PRAGMA synchronous = ${synchronous}`);
    this.handle.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    this.handle.exec(`PRAGMA journal_size_limit = ${WAL_KEPT_BYTES}`);
  }

  private isNew(): boolean {
    const [tables] = this.handle.prepare('SELECT count(*) FROM sqlite_schema').get() as never as [
      number,
    ];
    return tables === 0 && this.pragma('application_id') === 0;
  }

  private createLayout(): void {
    for (const statement of LAYOUT) this.handle.exec(statement);
    for (const topic of TOPICS) {
      const crc = rowCrc(`${topic}/0/0/0/0`);
      this.run('INSERT INTO topic VALUES (?, 0, 0, 0, 0, ?)', topic, crc);
    }
    this.handle.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    this.handle.exec(`PRAGMA user_version = ${LAYOUT_VERSION}`);
  }

  /** Before anything is written: another program's database must stay as it is. */
  private checkOwner(): void {
    if (this.isNew()) return;
    if (this.pragma('application_id') !== APPLICATION_ID) {
      throw new LogError('FOREIGN', `${this.file} is a database of another program`);
    }
    const version = this.pragma('user_version');
    if (version > LAYOUT_VERSION) {
      const versions = `layout ${version}, this software knows ${LAYOUT_VERSION}`;
      throw new LogError('NEWER', `${this.file} was written by a newer version: ${versions}`);
    }
    if (version < LAYOUT_VERSION)
      throw corrupt(this.file, `layout ${version}, of an older version`);
  }

  private checkLayout(): void {
    this.checkOwner();
    const rows = this.all("SELECT sql, rootpage FROM sqlite_schema WHERE type = 'table'");
    const roots = new Map(rows.map(([sql, root]) => [sql, root]));
    for (const [n, sql] of LAYOUT.entries()) {
      if (roots.get(sql) === FIRST_ROOT + n) continue;
      throw corrupt(this.file, 'its tables are not those of this layout');
    }
  }

  /** Throws CORRUPT unless the pages of a table make sense. Reads all of it. */
  quickCheck(table: string): void {
    const [result] = this.get(`PRAGMA quick_check('${table}')`) ?? [];
    if (result !== 'ok') throw corrupt(this.file, `table ${table}: ${result}`);
  }

  /** A numeric pragma of this connection or file. */
  pragma(name: string): number {
    const [value] = this.get(`PRAGMA ${name}`) ?? [];
    return typeof value === 'number' ? value : 0;
  }

  run(sql: string, ...values: SQLInputValue[]): void {
    this.guard(() => this.statement(sql).run(...values));
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.guard(() => this.statement(sql).get(...values) as Row | undefined);
  }

  /** `all` with integers as bigint. */
  allBig(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.guard(() => {
      const statement = this.statement(sql);
      statement.setReadBigInts(true);
      return statement.all(...values) as unknown as Row[];
    });
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.guard(() => this.statement(sql).all(...values) as unknown as Row[]);
  }

  /** Rows until `take` answers false. */
  each(sql: string, values: SQLInputValue[], take: (row: Row) => boolean): void {
    this.guard(() => {
      const rows = this.statement(sql).iterate(...values) as Iterable<unknown>;
      for (const row of rows) if (!take(row as Row)) break;
    });
  }

  /** `work` in one transaction that sees one state of the file. `work` is synchronous. */
  read<T>(work: () => T): T {
    return this.transaction('BEGIN', work);
  }

  /** `work` in one transaction: all of it happens, or nothing. */
  write<T>(work: () => T): T {
    if (this.readOnly) throw new LogError('READ_ONLY', `${this.file} was opened to read`);
    return this.transaction('BEGIN IMMEDIATE', work);
  }

  /** From now until `close`, this connection sees the file as it is now. */
  pin(): void {
    this.guard(() => {
      this.statement('BEGIN').run();
      // BEGIN alone takes no snapshot; the first read does.
      this.statement('SELECT count(*) FROM topic').get();
    });
  }

  private transaction<T>(begin: string, work: () => T): T {
    return this.guard(() => {
      this.statement(begin).run();
      try {
        const result = work();
        this.statement('COMMIT').run();
        return result;
      } catch (error) {
        // SQLite ends the transaction itself on some errors, a full disk among them.
        if (this.handle.isTransaction) this.statement('ROLLBACK').run();
        throw error;
      }
    });
  }

  /** Changes when another connection committed: cheap enough to ask 50 times a second. */
  dataVersion(): number {
    return this.pragma('data_version');
  }

  close(): void {
    this.statements.clear();
    if (this.handle.isOpen) this.handle.close();
  }

  private statement(sql: string): StatementSync {
    let statement = this.statements.get(sql);
    if (statement === undefined) {
      statement = this.handle.prepare(sql);
      this.statements.set(sql, statement);
    }
    return statement;
  }

  private guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw toLogError(error, this.file);
    }
  }
}

/**
 * Makes the file unless there is one: SQLite would let everybody read it; -wal and -shm take its
 * mode. A draft is linked into place, since closing a descriptor of the file itself would release
 * the locks that another thread's SQLite holds on it (fcntl locks belong to the process).
 */
function create(file: string): void {
  const exists = existsSync(file);
  try {
    if (exists) {
      for (const path of [file, dirname(file)]) accessSync(path, constants.W_OK);
      return;
    }
    const draft = `${file}.new-${process.pid}-${threadId}`;
    // In a container everybody has the same pid: one that was killed here may have left its own.
    rmSync(draft, { force: true });
    writeFileSync(draft, '', { flag: 'wx', mode: FILE_MODE });
    try {
      linkSync(draft, file);
    } finally {
      unlinkSync(draft);
    }
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    const full = code === 'ENOSPC' || code === 'EDQUOT';
    const other = exists && code !== 'ENOENT' ? 'READ_ONLY' : 'CANNOT_OPEN';
    throw new LogError(full ? 'FULL' : other, `${file}: ${message}`, { cause: error });
  }
}

/** Bytes of a file, 0 where there is none. */
export function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
