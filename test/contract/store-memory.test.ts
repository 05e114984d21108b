import { openMemoryStore } from '#state';
import { storeContract } from './store.contract.ts';
import { storeModel } from './store.model.ts';

storeContract('memory', async (clock) => {
  const store = openMemoryStore({ clock });
  return { store, close: () => store.close() };
});

storeModel('memory', async (clock) => {
  const store = openMemoryStore({ clock });
  return { store, close: () => store.close(), reopen: async () => store };
});
