import { after } from 'node:test';
import { FleetStore } from '#state/redis';
import { foldStoreContract } from '../contract/store.contract.ts';
import { freshFleet, servers, viewOf } from './servers.ts';

const real = await servers();
after(() => real.stop());

foldStoreContract('Kafka and Redis', async () => {
  const fleet = await freshFleet(real, { partitions: 1 });
  const view = viewOf(fleet);
  const store = await FleetStore.open({
    client: fleet.client,
    view,
    partition: 0,
    owner: 'enricher',
    onView: () => undefined,
    now: Date.now,
  });
  const close = async () => {
    await store.close();
    await view.close();
  };
  return { store, close };
});
