import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Finding, Verifier } from '#chain';
import { dose, seed } from '#testkit';
import { Random } from '../../contract/random.ts';
import { buildLog, type Sealed, type Writers } from './lanes.ts';
import { flipBit, MUTATIONS, type Mutated } from './mutations.ts';

const FRAMES = 16;
const FLIPS = dose === 'full' ? 200_000 : 10_000;
const EACH = dose === 'full' ? 10_000 : 500;
/** Mutations of one log before another one is made. */
const LOG_USES = 500;

/** The first bad finding, and the repeats before it. */
function examine(log: readonly Sealed[], writers: Writers) {
  const verifier = new Verifier({ keyOf: writers.keyOf });
  const duplicates: number[] = [];
  for (const [offset, record] of log.entries()) {
    const finding = verifier.add({ ...record, offset });
    if (finding?.code === 'DUPLICATE') duplicates.push(offset);
    else if (finding) return { finding, duplicates, events: verifier.report().events };
  }
  const [finding] = verifier.finish(writers.heads, log.length);
  return { finding, duplicates, events: verifier.report().events };
}

function assertFound(mutated: Mutated, finding: Finding | undefined, what: string): void {
  const { expected } = mutated;
  if (expected === null) {
    assert.equal(finding, undefined, what);
    return;
  }
  assert.ok(finding, `${what}: nothing found, expected ${expected.codes} at ${expected.offset}`);
  assert.equal(finding.offset, expected.offset, `${what}: ${finding.detail}`);
  assert.ok(expected.codes.includes(finding.code), `${what}: ${finding.detail}`);
}

it(`the verifier finds each of ${FLIPS} flipped bits at its offset`, (t) => {
  t.diagnostic(`WARDEN_SEED=${seed}`);
  const random = new Random(seed);
  let built = buildLog(random, FRAMES);
  for (let n = 0; n < FLIPS; n++) {
    if (n % LOG_USES === 0) built = buildLog(random, FRAMES);
    const mutated = flipBit(random, built.log);
    const { finding, duplicates } = examine(mutated.log, built.writers);
    assertFound(mutated, finding, `flip ${n} of seed ${seed}`);
    assert.deepEqual(duplicates, []);
  }
});

for (const [name, mutate] of Object.entries(MUTATIONS)) {
  it(`the verifier finds each of ${EACH} times ${name} at its offset`, (t) => {
    t.diagnostic(`WARDEN_SEED=${seed}`);
    const random = new Random(seed);
    let built = buildLog(random, FRAMES);
    for (let n = 0; n < EACH; n++) {
      if (n % LOG_USES === 0) built = buildLog(random, FRAMES);
      const mutated = mutate(random, built.log, built.writers);
      const { finding, duplicates, events } = examine(mutated.log, built.writers);
      assertFound(mutated, finding, `${name} ${n} of seed ${seed}`);
      if (mutated.duplicate === undefined) continue;
      assert.deepEqual(duplicates, [mutated.duplicate]);
      assert.equal(events, examine(built.log, built.writers).events);
    }
  });
}
