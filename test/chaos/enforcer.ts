import type { EnforcerPins } from '#bpf';
import { hostName } from '#event';
import { KafkaClient } from '#log/kafka';
import { openSqliteStore } from '#state';
import { Follower } from '../fleet/follower.ts';
import { HOST } from '../pipeline/live-fold.ts';

/** A host's enforcer, alone in its process. Killed anywhere, it goes on where its store stands. */
const [database = '', broker = '', prefix = '', pins = ''] = process.argv.slice(2);
const settings = { brokers: [broker], clientId: 'enforcer', prefix, tls: null, user: null };
const store = openSqliteStore(database);
const maps = JSON.parse(pins) as EnforcerPins;
const client = new KafkaClient(settings);
const follower = new Follower({ store, client, host: hostName(HOST), maps });
await follower.run(new AbortController().signal);
