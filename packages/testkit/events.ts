import { decode, type Event, type EventJson, eventJson } from '#event';
import { DEFAULT_LIMIT } from '#log';
import { openSqliteStore } from '#state';

/** An event of the log with its JSON and its place. */
export interface SeenEvent {
  readonly offset: number;
  readonly event: Event;
  readonly json: EventJson;
}

/** All enriched events of a log, oldest first, from `from` on. */
export async function readEvents(database: string, from = 0): Promise<SeenEvent[]> {
  const store = await openSqliteStore(database, { readOnly: true });
  const seen: SeenEvent[] = [];
  try {
    for (let next = from; ; ) {
      const partition = { topic: 'bpf.enriched', partition: 0 } as const;
      const records = await store.log.read(partition, next, DEFAULT_LIMIT);
      for (const { offset, value } of records) {
        const enriched = decode('Enriched', value);
        const event = decode('Event', enriched.event);
        seen.push({ offset, event, json: eventJson(enriched, event, (key) => key) });
      }
      const last = records.at(-1);
      if (last === undefined) return seen;
      next = last.offset + 1;
    }
  } finally {
    await store.close();
  }
}
