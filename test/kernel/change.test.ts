import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { place, readEvents, run, Warden, waitFor } from '#testkit';

/** Files of loaders that change while a policy is in force: `bpf/load/change.c`. */
const at = place('change');
const bin = join(at.root, 'bin');
mkdirSync(bin);

/** bpftool, with something at its end that makes it another content. */
const TOOL = readFileSync('/usr/sbin/bpftool');
const content = (mark: string) => Buffer.concat([TOOL, Buffer.from(mark)]);
const digest = (mark: string) => createHash('sha256').update(content(mark)).digest('hex');
const pathOf = (name: string) => join(bin, name);

/** As a package manager does it: beside, then over it. */
function install(name: string, mark: string, owner = 0): void {
  const beside = join(bin, '.new');
  writeFileSync(beside, content(mark));
  chmodSync(beside, 0o755);
  chownSync(beside, owner, owner);
  renameSync(beside, pathOf(name));
}

/** Over another name of a file, or a link to it. */
function replaceBy(make: (path: string) => void, path: string): void {
  const beside = `${path}.new`;
  make(beside);
  renameSync(beside, path);
}

const NAMES = [
  'plain',
  'strict',
  'pinned',
  'patient',
  'brief',
  'short',
  'foreign',
  'gone',
  'linked',
];
for (const name of NAMES) install(name, 'one');
/** A directory that somebody else may write to. */
const theirs = join(at.root, 'theirs');
mkdirSync(theirs);
copyFileSync(pathOf('plain'), join(theirs, 'tool'));
chownSync(theirs, 65_534, 65_534);
const policy = join(at.root, 'policy.yaml');
const matchOf = (name: string, more = '') => `path: ${pathOf(name)}${more}`;
const both = `, sha256: ["${digest('one')}", "${digest('two')}"]`;
const first = `, sha256: "${digest('one')}"`;
writeFileSync(
  policy,
  `version: 1
mode: observe
signals: { S21: { weight: 0 } }
loaders:
  - { name: plain, match: { ${matchOf('plain')} } }
  - { name: strict, match: { ${matchOf('strict')} }, on_change: deny }
  - { name: pinned, match: { ${matchOf('pinned', both)} } }
  - { name: patient, match: { ${matchOf('patient', first)} }, on_change: keep 24h }
  - { name: brief, match: { ${matchOf('brief')} }, on_change: keep 15s }
  - { name: short, match: { ${matchOf('short')} }, on_change: keep 8s }
  - { name: foreign, match: { ${matchOf('foreign')} } }
  - { name: gone, match: { ${matchOf('gone')} } }
  - { name: linked, match: { ${matchOf('linked')} }, on_change: deny }
  - { name: theirs, match: { path: ${join(theirs, 'tool')} } }
`,
);
let warden = await Warden.start({ place: at, policy });
const noted = join(at.run, 'changes.json');

/** Who the policy takes the file for, by what is recorded of an act of it. */
async function loaderOf(name: string): Promise<string | null> {
  const { pid } = await run(pathOf(name), ['map', 'show', 'id', '4294967295']);
  return waitFor(`an act of ${name}`, async () => {
    const seen = (await readEvents(at.database)).find(({ event }) => event.process?.pid === pid);
    return seen === undefined ? null : { name: seen.event.loader?.name ?? null };
  }).then((found) => found.name);
}

async function told(
  name: string,
  state: string,
  withinMs = 30_000,
): Promise<Record<string, string>> {
  return waitFor(
    `LOADER ${name} ${state}`,
    async () => {
      const all = (await readEvents(at.database))
        .filter(({ event }) => event.act.command === 'LOADER')
        .map(({ event }) =>
          Object.fromEntries(event.details.map(({ key, value }) => [key, value ?? ''])),
        );
      return all.find((one) => one.loader === name && one.state === state);
    },
    withinMs,
  );
}

test('files that are as the policy was applied to are told of by nobody', async () => {
  await waitFor('a first look', () => existsSync(noted));
  assert.deepEqual(JSON.parse(readFileSync(noted, 'utf8')).files, []);
  for (const name of NAMES) assert.equal(await loaderOf(name), name);
});

test('known by path: another file is the loader all the same, and told of', async () => {
  install('plain', 'two');
  const { path, sha256, until } = await told('plain', 'kept');
  assert.deepEqual(
    { path, sha256, until },
    {
      path: pathOf('plain'),
      sha256: digest('two'),
      until: undefined,
    },
  );
  assert.equal(await loaderOf('plain'), 'plain');
});

test('written over in place: told of as well', async () => {
  writeFileSync(pathOf('plain'), content('three'));
  await waitFor('the third content', async () => {
    const events = await readEvents(at.database);
    return events.some(({ event }) =>
      event.details.some(({ key, value }) => key === 'sha256' && value === digest('three')),
    );
  });
  assert.equal(await loaderOf('plain'), 'plain');
});

test('on_change: deny: another file is nobody', async () => {
  install('strict', 'two');
  await told('strict', 'denied');
  assert.equal(await loaderOf('strict'), null);
});

test('known by content: another that is listed is the loader, any other is not', async () => {
  install('pinned', 'two');
  await told('pinned', 'listed');
  assert.equal(await loaderOf('pinned'), 'pinned');
  install('pinned', 'three');
  await told('pinned', 'denied');
  assert.equal(await loaderOf('pinned'), null);
});

test('known by content, kept for a day: until then, and only as it is now', async () => {
  install('patient', 'two');
  const { until } = await told('patient', 'kept');
  const hours = (Date.parse(until ?? '') - Date.now()) / 3_600_000;
  assert.ok(hours > 23.9 && hours <= 24, until);
  assert.equal(await loaderOf('patient'), 'patient');
});

test('kept for its time, then nobody, and no change begins that time again', async () => {
  install('brief', 'two');
  await told('brief', 'kept');
  assert.equal(await loaderOf('brief'), 'brief');
  await told('brief', 'ended', 60_000);
  assert.equal(await loaderOf('brief'), null);
  install('brief', 'three');
  await told('brief', 'denied');
  assert.equal(await loaderOf('brief'), null);
});

test('a time ends in the kernel, with a monitor that stands still', async () => {
  install('short', 'two');
  const { until } = await told('short', 'kept');
  assert.equal(await loaderOf('short'), 'short');
  process.kill(warden.pid, 'SIGSTOP');
  try {
    await sleep(Date.parse(until ?? '') - Date.now() + 1000);
    assert.equal(await loaderOf('short'), null);
  } finally {
    process.kill(warden.pid, 'SIGCONT');
  }
  await told('short', 'ended');
});

test('what another than root owns is kept for nobody', async () => {
  install('foreign', 'two', 65_534);
  await told('foreign', 'denied');
  assert.equal(await loaderOf('foreign'), null);
});

test('a link that others may change leads to no loader, whosever file it leads to', async () => {
  install('plain', 'four');
  replaceBy((path) => symlinkSync(pathOf('plain'), path), join(theirs, 'tool'));
  await told('theirs', 'denied');
  assert.equal(await loaderOf('plain'), 'plain');
});

test('a name of another loader’s file takes nothing from that one', async () => {
  replaceBy((path) => linkSync(pathOf('plain'), path), pathOf('linked'));
  await told('linked', 'denied');
  assert.equal(await loaderOf('plain'), 'plain');
});

test('a file that is gone is told of, and that it is back', async () => {
  const aside = join(at.root, 'aside');
  renameSync(pathOf('gone'), aside);
  await told('gone', 'gone');
  renameSync(aside, pathOf('gone'));
  await told('gone', 'kept');
  assert.equal(await loaderOf('gone'), 'gone');
  rmSync(pathOf('gone'));
});

test('no list but the one that was applied makes a loader', async () => {
  const evil = join(bin, 'evil');
  install('evil', 'one');
  const list = join(at.run, 'loaders');
  const text = readFileSync(list, 'utf8');
  writeFileSync(list, text.replaceAll(/path=.*strict$/gm, `path=${evil}`));
  install('plain', 'five');
  await waitFor('a look', async () =>
    (await readEvents(at.database)).some(({ event }) =>
      event.details.some(({ key, value }) => key === 'sha256' && value === digest('five')),
    ),
  );
  assert.equal(await loaderOf('evil'), null);
  writeFileSync(list, text);
});

test('doctor lists what is not as it was', async () => {
  const notedStates = () =>
    JSON.parse(readFileSync(noted, 'utf8')).files.map(
      ({ loader, state }: { loader: string; state: string }) => `${loader} ${state}`,
    );
  // What a look has told of is noted at its end, with what it finds behind that.
  const states = await waitFor('what is gone, in the notes', () => {
    const all = notedStates();
    return all.includes('gone gone') && all;
  });
  const expected = ['plain kept', 'strict denied', 'pinned denied', 'patient kept'];
  const endedToo = ['short ended', 'foreign denied'];
  const theirsToo = ['gone gone', 'linked denied', 'theirs denied'];
  assert.deepEqual(states, [...expected, 'brief denied', ...endedToo, ...theirsToo]);
  const env = { ...process.env, WARDEN_RUN: at.run };
  const args = ['doctor', '--state', at.state, '--policy', policy];
  const { stdout } = await run('./warden', args, { env });
  const names = 'plain, strict, brief, short, foreign, gone, linked, theirs';
  const weak = new RegExp(`loaders +8 known by path alone \\(weak\\): ${names}`);
  assert.match(stdout, weak);
  assert.match(stdout, /loader +strict: \S+ changed since the policy was applied: no loader/);
});

test('after a start a time goes on from the change of the file', async () => {
  assert.equal((await warden.stop()).code, 0);
  const until = (await told('patient', 'kept')).until ?? '';
  warden = await Warden.start({ place: at, policy });
  const again = await waitFor('LOADER patient kept, again', async () => {
    const all = (await readEvents(at.database)).filter(
      ({ event }) =>
        event.act.command === 'LOADER' && event.details.some(({ value }) => value === 'patient'),
    );
    return all.length < 2 ? null : all.at(-1)?.event.details.find(({ key }) => key === 'until');
  });
  const later = Date.parse(again.value ?? '') - Date.parse(until);
  assert.ok(Math.abs(later) < 5000, `${until}, then ${again.value}`);
  assert.equal(await loaderOf('patient'), 'patient');
});

test('the end', async () => {
  assert.equal((await warden.stop()).code, 0);
  await warden.clean();
  at.remove();
});
