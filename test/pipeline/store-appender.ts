import { openSqliteStore } from '#state';

/** Commits `COUNT` times and ends: `store-appender.ts FILE NAME COUNT`. Prints `open` before. */
const [file = '', name = '', count = '0'] = process.argv.slice(2);
const store = openSqliteStore(file);
process.stdout.write('open\n');
for (let i = 0; i < Number(count); i++) {
  const value = Buffer.from(`${performance.timeOrigin + performance.now()}`);
  const output = { topic: 'bpf.events', lane: i % 64, key: `${name}/${i}`, value } as const;
  await store.commit({
    outputs: Array.from({ length: 1 + (i % 5) }, () => output),
    state: [{ space: 'host', lane: 0, key: name, value: Buffer.from(`${i}`) }],
    position: [{ source: name, next: BigInt(i) }],
  });
}
await store.close();
