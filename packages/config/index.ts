export {
  type Config,
  ConfigError,
  hostIdentity,
  type LoadedState,
  loadedState,
  type RawOptions,
  readConfig,
} from './config.ts';
export { type Keys, openKeys } from './keys.ts';
