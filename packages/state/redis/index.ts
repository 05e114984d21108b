export { viewKey } from './sealed.ts';
export { FleetStore, type FleetStoreOptions } from './store.ts';
export { type RedisSettings, RedisView, ViewError } from './view.ts';
