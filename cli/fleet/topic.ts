import type { FleetTopic, KafkaLog, KafkaRecord } from '#log/kafka';

const PAGE = { records: 1000, bytes: 1024 * 1024 };

/** Every record of a partition as it is now, in order. Whatever comes meanwhile is left out. */
export async function* recordsOf(
  log: KafkaLog,
  topic: FleetTopic,
  partition = 0,
): AsyncGenerator<KafkaRecord> {
  const place = { topic, partition };
  const end = await log.end(place);
  for (let at = await log.start(place); at < end; ) {
    const { records, next } = await log.readSparse(place, at, PAGE);
    yield* records.filter(({ offset }) => offset < end);
    if (next === at) return;
    at = next;
  }
}
