import assert from 'node:assert/strict';
import { run } from '#testkit';
import { RACER } from './policy.ts';
import { eventsOf, type Scene } from './support.ts';

const TRIES = 2000;

/** Why it did not even start, if so. */
async function lastRefusal(scene: Scene): Promise<string> {
  const seen = await eventsOf(scene);
  const last = seen.findLast(({ event }) => event.loader?.name === 'racer');
  return JSON.stringify(last?.json.verdict);
}

/** The loader's grant leaves out the helper that the thread keeps writing into the program. */
export async function racing(scene: Scene): Promise<void> {
  const { stdout, stderr } = await run(RACER, [`${TRIES}`]);
  const counts = JSON.parse(stdout || '{}') as Record<string, number>;
  assert.equal(counts.tries, TRIES, `${stderr}\n${await lastRefusal(scene)}`);
  assert.equal(counts.forbidden, 0, stdout);
  assert.ok((counts.refused ?? 0) > 0 && (counts.benign ?? 0) > 0, `it did race: ${stdout}`);
  console.log(`# ${stdout.trim()}`);
}
