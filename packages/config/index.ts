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
export {
  healthAddress,
  type KafkaConfig,
  kafkaConfig,
  type RawFleetOptions,
  type RedisConfig,
  redisConfig,
} from './fleet.ts';
export { HostRegister, type Valid } from './host-register.ts';
export {
  type FleetKeys,
  type Keys,
  openFleetKeys,
  openFleetKeysToVerify,
  openKeys,
  openSigningKey,
} from './keys.ts';
export { newSigningKey, publicKeyOf, SignerRegister } from './signers.ts';
