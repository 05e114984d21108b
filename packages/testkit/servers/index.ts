export { Authority, type Issued } from './authority.ts';
export { GATEWAY, type KafkaOptions, KafkaServer } from './kafka.ts';
export { freePorts } from './ports.ts';
export { RedisServer } from './redis.ts';
