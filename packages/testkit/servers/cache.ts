import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where setup/prepare keeps what it fetched. */
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'bpf-warden');

/** Directory of the jars of a Kafka broker. Throws where they were not fetched. */
export function kafkaJars(): string {
  const jars = join(CACHE, 'kafka-4.3.1');
  if (existsSync(join(jars, '.complete'))) return jars;
  throw new Error(`${jars}: no Kafka here: run setup/prepare fleet`);
}

/** How redis-server is started: Debian's package of tools has the program under another name. */
export function redisProgram(): { readonly file: string; readonly argv0: string } {
  const found = ['/usr/bin/redis-server', '/usr/bin/redis-check-rdb'].find(existsSync);
  if (found !== undefined) return { file: found, argv0: 'redis-server' };
  throw new Error('no redis-server here: run setup/prepare fleet');
}
