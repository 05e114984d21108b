import { randomBytes } from 'node:crypto';
import { genesis, newHostKey, sealFrames, Verifier } from '#chain';
import { hostName, incarnation, lane } from '#event';
import { DEFAULT_LIMIT, type Output } from '#log';
import { openSqliteStore } from '#state';

const f = '/work/tmp-store/b.db';
const key = newHostKey(),
  host = hostName('web-1'),
  inc = incarnation('00112233aabbccdd');
const outs: Output[] = [];
let events = 0,
  bytes = 0;
const heads = new Map<number, any>();
const pool = randomBytes(1 << 20);
let sealMs = 0;
for (let i = 0; i < 20000; i++) {
  const l = lane((i * 37) % 64);
  const h = heads.get(l) ?? { sequence: 0, hash: genesis({ host, incarnation: inc, lane: l }) };
  const n = 1 + ((i * 7919) % 50);
  const evs = Array.from({ length: n }, (_, j) =>
    pool.subarray(((i * 13 + j) * 401) % 1000000).subarray(0, 330 + ((i + j) % 140)),
  );
  const a = performance.now();
  const s = sealFrames({
    host,
    incarnation: inc,
    lane: l,
    first: h.sequence,
    previous: h.hash,
    events: evs,
    key,
  });
  sealMs += performance.now() - a;
  heads.set(l, s.next);
  events += n;
  for (const v of s.frames) {
    outs.push({ topic: 'bpf.events', lane: l, key: String(l), value: v });
    bytes += v.length;
  }
}
console.log('seal', ((events / sealMs) * 1000) | 0, 'ev/s');
const st = openSqliteStore(f);
const lat: number[] = [];
let t = performance.now();
for (let i = 0; i < outs.length; i += 64) {
  const a = performance.now();
  await st.commit({
    outputs: outs.slice(i, i + 64),
    state: [],
    position: [{ source: 'r', next: BigInt(i) }],
  });
  lat.push(performance.now() - a);
}
let dt = performance.now() - t;
lat.sort((a, b) => a - b);
console.log(
  'append',
  ((outs.length / dt) * 1000) | 0,
  'frames/s',
  ((events / dt) * 1000) | 0,
  'ev/s',
  (bytes / dt / 1048.576) | 0,
  'MB/s p50',
  lat[lat.length >> 1],
  'p99',
  lat[Math.floor(lat.length * 0.99)],
);
for (const m of ['read', 'verify']) {
  const v = new Verifier({ keyOf: () => key });
  t = performance.now();
  for (let from = 0; ; ) {
    const rs = await st.log.read({ topic: 'bpf.events', partition: 0 }, from, DEFAULT_LIMIT);
    if (!rs.length) break;
    if (m === 'verify') for (const r of rs) v.add(r);
    from += rs.length;
  }
  dt = performance.now() - t;
  console.log(
    m,
    ((outs.length / dt) * 1000) | 0,
    'frames/s',
    ((events / dt) * 1000) | 0,
    'ev/s',
    v.report().bad,
  );
}
for (let i = 0; i < 100000; i += 5000)
  await st.commit({
    outputs: [],
    position: [],
    state: Array.from({ length: 5000 }, (_, j) => ({
      space: 'trust' as const,
      lane: (i + j) % 64,
      key: `uid:${i + j}@web-1`,
      value: randomBytes(300),
    })),
  });
let g = 0,
  c = 0;
for (let b = 0; b < 40; b++) {
  const by = new Map<number, string[]>();
  for (let i = 0; i < 300; i++) {
    const k = (b * 7919 + i * 104729) % 100000;
    (by.get(k % 64) ?? by.set(k % 64, []).get(k % 64)!).push(`uid:${k}@web-1`);
  }
  let a = performance.now();
  for (const [l, k] of by) await st.getMany('trust', l, k);
  g += performance.now() - a;
  const o = Array.from({ length: 1000 }, (_, i) => ({
    topic: 'bpf.enriched' as const,
    lane: 1,
    key: `uid:${i}@web-1`,
    value: randomBytes(500),
  }));
  const s = [...by].flatMap(([l, k]) =>
    k.map((key) => ({ space: 'trust' as const, lane: l, key, value: randomBytes(300) })),
  );
  a = performance.now();
  await st.commit({ outputs: o, state: s, position: [{ source: 'fold', next: BigInt(b) }] });
  c += performance.now() - a;
}
console.log('fold batch getMany', (g / 40).toFixed(2), 'commit', (c / 40).toFixed(2), 'ms');
t = performance.now();
const sn = await st.snapshot('fold');
console.log('snapshot', (performance.now() - t) | 0);
t = performance.now();
await st.snapshotEntries(sn.id, { limit: 1 });
console.log('first page', (performance.now() - t) | 0);
await st.close();
t = performance.now();
const z = openSqliteStore(f);
console.log('reopen', (performance.now() - t) | 0, 'ms');
await z.commit({ outputs: [], state: [], position: [{ source: 'fold', next: 20000n }] });
await z.snapshot('fold');
t = performance.now();
console.log(
  await z.trim({ keepSnapshots: 1, maxBytes: 1 << 20 }),
  (performance.now() - t) | 0,
  'ms',
  await z.size(),
);
await z.close();
