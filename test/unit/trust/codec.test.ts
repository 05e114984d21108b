import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encode } from '#event';
import {
  type ActiveOverride,
  decodeState,
  encodeState,
  initialState,
  SIGNALS,
  STATE_BYTES_MAX,
  type Tier,
  TrustError,
  type TrustRecord,
  type TrustState,
} from '#trust';
import { dayOf, TIME_MAX_MS } from '../../../packages/trust/time.ts';
import { check } from './property.ts';
import {
  ALICE,
  act,
  due,
  HASH,
  known,
  logOf,
  modelWith,
  replay,
  START_MS,
  stepsArb,
} from './support.ts';

const DAY_MAX = dayOf(TIME_MAX_MS);
const model = modelWith();
const timeArb = fc.nat(TIME_MAX_MS);
const numbers = SIGNALS.map(({ number }) => number).toSorted((a, b) => a - b);

const sorted = <T>(items: T[], key: (item: T) => number): T[] =>
  items.toSorted((a, b) => key(a) - key(b));

const plain = { noNullPrototype: true } as const;

/** Any state within the limits, most of them larger than a fold would ever make. */
const stateArb: fc.Arbitrary<TrustState> = fc
  .record(
    {
      modelVersion: fc.constant(1),
      policyHash: fc.constant(HASH),
      base: fc.nat(100_000_000),
      defaultTier: fc.constantFrom(3 as const, 4 as const),
      floor: fc.constantFrom(0 as const, 1 as const, 2 as const, 3 as const, 4 as const),
      tMs: timeArb,
      keptMs: timeArb,
      tier: fc.constantFrom(0 as const, 1 as const, 2 as const, 3 as const),
      sinceMs: timeArb,
      okMs: fc.option(timeArb),
      dueMs: fc.option(timeArb),
      sticky: fc.boolean(),
      credit: fc.nat(5_000_000),
      activeDay: fc.integer({ min: -1, max: DAY_MAX }),
      clean: fc.boolean(),
      activeDays: fc.nat(3),
      evidence: fc
        .tuple(...numbers.map((number) => evidenceArb(number)))
        .map((all) => all.filter((one) => one !== null)),
      hosts: fc
        .uniqueArray(fc.record({ hash: fc.nat(0xffffffff), day: fc.nat(DAY_MAX) }, plain), {
          selector: ({ hash }) => hash,
          maxLength: 128,
          size: 'max',
        })
        .map((hosts) => sorted(hosts, ({ hash }) => hash)),
      windows: fc
        .uniqueArray(windowArb(), { selector: ({ number }) => number, maxLength: 3 })
        .map((windows) => sorted(windows, ({ number }) => number)),
      classes: fc
        .uniqueArray(fc.record({ index: fc.nat(63), day: fc.nat(DAY_MAX) }, plain), {
          selector: ({ index }) => index,
          maxLength: 64,
          size: 'max',
        })
        .map((classes) => sorted(classes, ({ index }) => index)),
      overrides: fc.array(activeArb(), { maxLength: 8, size: 'max' }),
      demotions: fc.array(timeArb, { maxLength: 8 }).map((times) => sorted(times, (t) => t)),
      controls: fc.array(fc.nat(2 ** 48 - 1), { maxLength: 32, size: 'max' }),
    },
    plain,
  )
  .map((state) => state satisfies TrustState);

function evidenceArb(number: number) {
  const one = fc.record(
    {
      number: fc.constant(number),
      mass: fc.nat(300_000_000),
      tMs: timeArb,
      count: fc.integer({ min: 1, max: 2_147_483_647 }),
    },
    plain,
  );
  return fc.option(one, { freq: 9 });
}

function activeArb(): fc.Arbitrary<ActiveOverride> {
  return fc.record(
    {
      id: fc.constantFrom('0123456789abcdef', 'ffffffffffffffff'),
      kind: fc.constantFrom('pin', 'break_glass', 'observe', 'adjust'),
      tier: fc.option(fc.constantFrom<Tier[]>(0, 1, 2, 3, 4)),
      raises: fc.boolean(),
      incident: fc.boolean(),
      permille: fc.option(fc.nat(2000)),
      fromMs: timeArb,
      untilMs: fc.option(timeArb),
    },
    plain,
  );
}

function windowArb() {
  return fc.record(
    {
      number: fc.constantFrom(12, 13, 14),
      slot: timeArb,
      current: fc.nat(1_000_000),
      previous: fc.nat(1_000_000),
      raised: fc.boolean(),
    },
    plain,
  );
}

test('P11: an encoded state is at most 4 KiB, and decoding gives it back', () => {
  let largest = 0;
  check(
    fc.property(stateArb, (state) => {
      const bytes = encodeState(state);
      largest = Math.max(largest, bytes.length);
      assert.ok(bytes.length <= STATE_BYTES_MAX);
      assert.deepEqual(decodeState(bytes), state);
    }),
  );
  assert.ok(largest > 1000, `the largest had only ${largest} bytes`);
});

test('P11: the largest state of all', () => {
  const state: TrustState = {
    ...known(model),
    tMs: TIME_MAX_MS,
    keptMs: TIME_MAX_MS,
    sinceMs: TIME_MAX_MS,
    okMs: TIME_MAX_MS,
    dueMs: TIME_MAX_MS,
    base: 100_000_000,
    credit: 5_000_000,
    activeDay: DAY_MAX,
    evidence: numbers.map((number) => ({
      number,
      mass: 300_000_000,
      tMs: TIME_MAX_MS,
      count: 2_147_483_647,
    })),
    hosts: Array.from({ length: 128 }, (_, i) => ({
      hash: 0xffffffff - 127 + i,
      day: DAY_MAX,
    })),
    windows: [12, 13, 14].map((number) => ({
      number,
      slot: TIME_MAX_MS,
      current: 1_000_000,
      previous: 1_000_000,
      raised: true,
    })),
    classes: Array.from({ length: 64 }, (_, index) => ({ index, day: DAY_MAX })),
    overrides: new Array(8).fill({
      id: 'ffffffffffffffff',
      kind: 'pin',
      tier: 4,
      raises: true,
      incident: true,
      permille: 2000,
      fromMs: TIME_MAX_MS,
      untilMs: TIME_MAX_MS,
    }),
    demotions: new Array(8).fill(TIME_MAX_MS),
    controls: new Array(32).fill(2 ** 48 - 1),
  };
  const bytes = encodeState(state);
  assert.deepEqual(decodeState(bytes), state);
  // With 32 signals, 11 more than there are, each of at most 20 bytes.
  assert.ok(bytes.length + 11 * 20 <= STATE_BYTES_MAX, `${bytes.length} bytes`);
});

test('states of the fold stay small, and within the limits of their collections', () => {
  const sizes: number[] = [];
  check(
    fc.property(stepsArb, (steps) => {
      const state = replay(known(model), logOf(known(model), steps, model), model).state;
      const bytes = encodeState(state);
      assert.deepEqual(decodeState(bytes), state);
      sizes.push(bytes.length);
    }),
  );
  const median = sizes.toSorted((a, b) => a - b)[Math.floor(sizes.length / 2)] as number;
  assert.ok(median <= 300, `median of ${median} bytes`);
});

test('golden: the bytes of a new state', () => {
  const bytes = encodeState(initialState(ALICE, model));
  assert.equal(
    bytes.subarray(10).toString('hex'),
    `02${HASH}80aaea550600000006000000000001000000000000000000`,
  );
  assert.ok(bytes.length < 80);
});

test('golden: the bytes of a state with something of each kind', () => {
  const again = { ...due(START_MS + 2000, 'due/1'), kind: 'policy' } as TrustRecord;
  const log = [
    act(START_MS, { exePath: '/tmp/x' }),
    act(START_MS + 1000, { auidStatus: 'claimed', command: 'PROG_GET_NEXT_ID', count: 150 }),
    again,
  ];
  const bytes = encodeState(replay(known(model), log, model).state);
  const golden = [
    '80aaea550600', // base, default tier, floor
    'a0ffa0b7f166a0ffa0b7f166', // time of the last record, of the last one kept
    '04d0efa0b7f166', // tier, since
    '0282c6d388f466', // enough trust for the next tier from
    '0282a2a09df466', // due: 6 hours later
    '0000d4bf020006', // sticky, credit, active day, clean, active days
    '04', // evidence: S07, S21
    '0e808ece1c80e0a0b7f16602',
    '2a8087a70ed0efa0b7f16602',
    '00',
    '02bedcbdeb0ed4bf0200', // hosts
    '021880918c1cac02000000', // windows: S12
    '0000', // classes, overrides
    '02d0efa0b7f16600', // demotions
    '0288e4f9bdb2b04500', // controls
  ];
  assert.equal(bytes.subarray(43).toString('hex'), golden.join(''));
});

const state = known(model);

function refused(change: Partial<TrustState>, code: string): void {
  const isOurs = (error: unknown): boolean => error instanceof TrustError && error.code === code;
  assert.throws(() => encodeState({ ...state, ...change }), isOurs);
}

test('a state outside its limits is refused, not stored', () => {
  const evidence = { number: 1, mass: 1, tMs: 1, count: 1 };
  refused({ modelVersion: 2 }, 'BAD_STATE');
  refused({ policyHash: 'zz' }, 'BAD_STATE');
  refused({ base: 100_000_001 }, 'BAD_STATE');
  refused({ base: 1.5 }, 'BAD_STATE');
  refused({ tier: 4 }, 'BAD_STATE');
  refused({ dueMs: -1 }, 'BAD_STATE');
  refused({ activeDays: 4 }, 'BAD_STATE');
  refused({ evidence: [evidence, evidence] }, 'BAD_STATE');
  refused({ evidence: [{ ...evidence, number: 20 }] }, 'BAD_STATE');
  refused({ evidence: [{ ...evidence, mass: 300_000_001 }] }, 'BAD_STATE');
  refused({ evidence: new Array(33).fill(evidence) }, 'OVER_LIMIT');
  refused({ hosts: new Array(129).fill({ hash: 1, day: 1 }) }, 'OVER_LIMIT');
  refused(
    {
      hosts: [
        { hash: 2, day: 1 },
        { hash: 1, day: 1 },
      ],
    },
    'BAD_STATE',
  );
  refused({ floor: 5 as Tier }, 'BAD_STATE');
  refused({ classes: [{ index: 64, day: 1 }] }, 'BAD_STATE');
  const active = { id: 'x', kind: 'pin', tier: 0, raises: false, incident: false } as const;
  const pin = { ...active, permille: null, fromMs: 1, untilMs: null };
  refused({ overrides: [pin] }, 'BAD_STATE');
  refused({ overrides: new Array(9).fill({ ...pin, id: '0123456789abcdef' }) }, 'OVER_LIMIT');
  refused({ demotions: [2, 1] }, 'BAD_STATE');
  refused({ demotions: new Array(9).fill(1) }, 'OVER_LIMIT');
  refused({ controls: new Array(33).fill(1) }, 'OVER_LIMIT');
  refused({ controls: [2 ** 48] }, 'BAD_STATE');
});

test('bytes that are no state are a typed error', () => {
  const valid = encodeState(replay(known(model), [act(START_MS)], model).state);
  check(
    fc.property(fc.nat(valid.length - 1), fc.nat(255), fc.nat(valid.length), (at, byte, cut) => {
      const bytes = Buffer.from(valid);
      bytes[at] = byte;
      for (const tried of [bytes, bytes.subarray(0, cut), Buffer.concat([bytes, bytes])]) {
        try {
          decodeState(tried);
        } catch (error) {
          assert.ok(error instanceof TrustError, String(error));
        }
      }
    }),
  );
  check(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      assert.throws(() => decodeState(bytes), TrustError);
    }),
  );
  assert.throws(() => decodeState(new Uint8Array(STATE_BYTES_MAX + 1)), TrustError);
  const other = encode('Signal', {
    principal: ALICE,
    event: '',
    timeMs: 0,
    signals: [],
    facts: '',
  });
  assert.throws(() => decodeState(other), TrustError);
});
