import { openSqliteStore } from '#state';
import { Random } from '../contract/random.ts';

/**
 * A process that commits until it is killed: `store-writer.ts FILE SEED [ROUNDS]`. Commit n has 1
 * to 20 outputs in bpf.events, each `{n, index, count, key}`; `trust` keeps the last output of a
 * key, and position `fold` the end of bpf.events. So the state is a function of the outputs. Prints
 * n after each commit. Now and then it takes a snapshot and trims.
 */
const [file = '', seed = '1', rounds = '1000000'] = process.argv.slice(2);
const EVENTS = { topic: 'bpf.events', partition: 0 } as const;

const random = new Random(Number(seed));
const store = openSqliteStore(file);
const last = await store.get('host', 0, 'commit');
let n = last === null ? 0 : Number(Buffer.from(last).toString()) + 1;
process.stdout.write('open\n');
for (const end = n + Number(rounds); n < end; n++) {
  const from = await store.log.end(EVENTS);
  const count = 1 + random.below(20);
  const padding = 'x'.repeat(random.below(3000));
  const outputs = Array.from({ length: count }, (_, index) => {
    const lane = random.below(64);
    const key = `uid:${random.below(200)}@corp`;
    const value = Buffer.from(JSON.stringify({ n, index, count, key, padding }));
    return { topic: 'bpf.events', lane, key, value } as const;
  });
  const enriched = outputs.map((one) => ({ ...one, topic: 'bpf.enriched' as const }));
  await store.commit({
    outputs: [...outputs, ...enriched],
    state: [
      ...outputs.map(({ lane, key, value }) => ({ space: 'trust' as const, lane, key, value })),
      { space: 'host', lane: 0, key: 'commit', value: Buffer.from(`${n}`) },
    ],
    position: [{ source: 'fold', next: BigInt(from + count) }],
  });
  process.stdout.write(`${n}\n`);
  if (n % 5 === 0) await store.snapshot('fold');
  if (n % 12 === 0) await store.trim({ keepSnapshots: 2, maxBytes: 200_000 });
}
await store.close();
