import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore } from '#state';
import { storeContract } from './store.contract.ts';
import { storeModel } from './store.model.ts';

async function directory(): Promise<{ file: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'warden-store-'));
  return { file: join(path, 'log.db'), remove: () => rm(path, { recursive: true }) };
}

storeContract('SQLite', async (clock) => {
  const { file, remove } = await directory();
  const store = openSqliteStore(file, { clock });
  return { store, close: () => store.close().then(remove) };
});

storeModel('SQLite', async (clock) => {
  const { file, remove } = await directory();
  let store = openSqliteStore(file, { clock });
  const reopen = async () => {
    await store.close();
    store = openSqliteStore(file, { clock });
    return store;
  };
  return { store, close: () => store.close().then(remove), reopen };
});
