export { type KafkaOptions, KafkaServer } from './kafka.ts';
export { freePorts } from './ports.ts';
export { RedisServer } from './redis.ts';
