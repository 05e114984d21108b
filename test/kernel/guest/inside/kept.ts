import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { run } from '#testkit';
import { KEEPER, KEPT, LOGIN, READER, SHY } from './policy.ts';
import { find, type Scene, WORKLOADS } from './support.ts';

const STRANGER = 10070;
const PID_TGID = 14;
const KTIME_TAI = 208;
const OTHER = '/sys/fs/bpf/other';

const NONE = 0;
const EPERM = 1;
const ENOENT = 2;

/** Runs tries of the workload `pins`; a login uid or, for an agent, none. */
async function pins(auid: number | null, program: string, ...tries: string[]) {
  const words = tries.join(' + ').split(' ');
  const ran =
    auid === null ? await run(program, words) : await run(LOGIN, [`${auid}`, program, ...words]);
  const lines = ran.stdout.split('\n').filter((line) => line.startsWith('{"try"'));
  assert.equal(lines.length, tries.length, `${ran.stdout}${ran.stderr}`);
  return lines.map((line) => JSON.parse(line) as { errno: number; id: number });
}

async function errnos(auid: number | null, program: string, ...tries: string[]) {
  return (await pins(auid, program, ...tries)).map(({ errno }) => errno);
}

const stranger = `${WORKLOADS}/pins`;

/** Who may pin, who may open what is pinned, and what a program pinned there may call. */
export async function kept(scene: Scene): Promise<void> {
  for (const dir of [KEPT, OTHER]) mkdirSync(dir, { recursive: true });
  const shown = `${KEPT}/shown`;
  const hidden = `${KEPT}/hidden`;
  const owner = await errnos(
    null,
    KEEPER,
    `map ${shown} shown_one`,
    `map ${hidden} secret`,
    `program ${KEPT}/fine ${PID_TGID}`,
    `program ${KEPT}/late ${KTIME_TAI}`,
    `get ${hidden} write`,
  );
  assert.deepEqual(owner, [NONE, NONE, NONE, EPERM, NONE], 'the owner, but for a helper');
  const reader = await errnos(
    null,
    READER,
    `get ${shown} read`,
    `get ${shown} write`,
    `get ${hidden} read`,
    `map ${KEPT}/mine mine`,
    `map ${OTHER}/mine mine`,
  );
  assert.deepEqual(reader, [NONE, EPERM, EPERM, EPERM, NONE], 'who is shown one map, to read');
  const moved = await errnos(
    null,
    KEEPER,
    `rename ${shown} ${OTHER}/shown`,
    `hard-link ${hidden} ${OTHER}/hidden`,
    `rename ${shown} ${KEPT}/shown_too`,
  );
  assert.deepEqual(moved, [EPERM, EPERM, NONE], 'out of the directory, and within it');
  const { event } = await find(scene, 'a refusal by the directory', (seen) => {
    const { loader, act, verdict } = seen.event;
    return loader?.name === 'reader' && act.command === 'OBJ_GET' && verdict.decision === 'deny';
  });
  assert.equal(event.verdict.rule, 'guard.bpffs');
  for (const command of ['PIN_RENAME', 'PIN_LINK']) {
    const seen = await find(scene, command, ({ event: { act, loader, verdict } }) => {
      return act.command === command && loader?.name === 'keeper' && verdict.decision === 'deny';
    });
    assert.equal(seen.event.verdict.rule, 'guard.bpffs');
  }
}

/** By id they are not there, by pin they are refused, and trying costs trust. */
export async function adopted(scene: Scene): Promise<void> {
  const path = `${OTHER}/shy`;
  const [made] = await pins(null, SHY, `map ${path} shy_map`);
  assert.equal(made?.errno, NONE);
  const id = made?.id ?? 0;
  assert.ok(id > 0);
  const own = await errnos(null, SHY, `get ${path} write`, `map-by-id ${id}`);
  assert.deepEqual(own, [NONE, NONE], 'its own');
  const others = await errnos(
    STRANGER,
    stranger,
    `map-by-id ${id}`,
    `get ${path} read`,
    `unlink ${path}`,
  );
  assert.deepEqual(others, [ENOENT, EPERM, EPERM]);
  const { event, json } = await find(scene, 'a refusal to the stranger', (seen) => {
    const { process, act } = seen.event;
    return process?.auid === STRANGER && act.command === 'PIN_UNLINK';
  });
  assert.deepEqual([event.verdict.rule, event.map?.name], ['guard.protected', 'shy_map']);
  assert.equal((json.trust as { tier: string }).tier, 'denied');
  const monitor = `${scene.warden.pid}`;
  assert.deepEqual(await errnos(null, SHY, `seize ${monitor}`), [EPERM], 'an agent is not us');
}
