export {
  type Config,
  ConfigError,
  hostIdentity,
  type LoadedState,
  loadedState,
  type RawOptions,
  readConfig,
  type Webhook,
} from './config.ts';
export { type Keys, openKeys } from './keys.ts';
