import assert from 'node:assert/strict';
import { waitFor } from '#testkit';
import { loads, SOCKET_FILTER } from './loading.ts';
import { REFLEX_MS } from './policy.ts';
import { find, held, type Scene, SLOW_MS } from './support.ts';

const UID = 10050;
const OWN = ['--type', SOCKET_FILTER, '--uid', `${UID}`];
const FOREIGN = [...OWN, '--map', 'fd', '--map-as-root', '--times', '2'];

const reflexOf = (scene: Scene) =>
  held(scene).reflexes.find(({ subject }) => subject === `uid:${UID}`) ?? null;

/** Its first load is refused by a rule, its second because of the first. */
export async function reflexWithoutServices(scene: Scene): Promise<void> {
  assert.deepEqual(scene.warden.servicePids(), [], 'no service is there');
  const { errnos } = await loads(null, FOREIGN);
  assert.deepEqual(errnos, ['EPERM', 'EPERM']);
  assert.equal(reflexOf(scene)?.tier, 1, 'quarantined');
  const next = await loads(null, OWN);
  assert.deepEqual(next.errnos, ['EPERM'], 'what it may always do');
  await new Promise((resolve) => setTimeout(resolve, REFLEX_MS + 1000));
  const later = await loads(null, OWN);
  assert.deepEqual(later.errnos, ['EPERM'], 'its time does not run while nobody knows');
}

export async function reflexEnds(scene: Scene): Promise<void> {
  const principal = `uid:${UID}@corp`;
  const told = await find(
    scene,
    'REFLEX',
    ({ event }) => event.act.command === 'REFLEX' && event.principal === principal,
  );
  assert.equal(told.event.details.find(({ key }) => key === 'subject')?.value, `uid:${UID}`);
  const { event } = await find(
    scene,
    'a refusal by reflex',
    (seen) => seen.event.principal === principal && seen.event.verdict.by === 'reflex',
  );
  assert.equal(event.verdict.rule, 'tiers.quarantined.commands');
  const allowed = async () => (await loads(null, OWN)).errnos[0] === null;
  await waitFor('the end of the reflex', allowed, SLOW_MS);
  assert.equal(reflexOf(scene), null, 'nothing is left of it');
}
