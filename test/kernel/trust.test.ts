import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'node:test';
import { SubjectsMap } from '#bpf';
import { type Placed, place, readEvents, run, type SeenEvent, Warden, waitFor } from '#testkit';

const WORKLOADS = resolve(import.meta.dirname, '../../bpf/build/workloads');
const HOST = 'web-1';
const ENV = { WARDEN_HOST: HOST };
const RESTRICTED = 2;

/** A workload at another path: below /tmp, where S07 looks. */
function copied(at: Placed, name: string, as = name): string {
  const path = join(at.root, as);
  copyFileSync(join(WORKLOADS, name), path);
  chmodSync(path, 0o755);
  return path;
}

const detail = ({ event }: SeenEvent, key: string) =>
  event.details.find((one) => one.key === key)?.value;

async function find(at: Placed, what: string, wanted: (seen: SeenEvent) => boolean) {
  return waitFor(what, async () => (await readEvents(at.database)).find(wanted));
}

async function json(at: Placed, ...args: string[]) {
  const { code, stdout, stderr } = await run('./warden', [...args, '--json', '--state', at.state]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

function subjects(at: Placed) {
  const map = new SubjectsMap(join(at.run, 'bpf/subjects'));
  const entries = map.read();
  map.close();
  return entries.map(({ kind, id, tier }) => ({ kind, id, tier })).sort((a, b) => a.kind - b.kind);
}

test('a loader in /tmp lowers its principal, in the kernel too, unenforceable here', async () => {
  const at = place('tmp-loader');
  let warden = await Warden.start({ place: at, env: ENV });
  try {
    const ran = await run(copied(at, 'churn'), ['1']);
    assert.equal(ran.code, 0, ran.stderr);
    const act = await find(
      at,
      'S07',
      ({ json: { trust } }) => trust?.signals.includes('S07') ?? false,
    );
    assert.equal(act.event.principal, `uid:0@${HOST}`);
    assert.deepEqual(act.json.trust, {
      before: 65,
      after: 35,
      tier: 'restricted',
      signals: ['S07'],
    });
    const enforced = await find(at, 'ENFORCED', ({ event }) => event.act.command === 'ENFORCED');
    assert.equal(detail(enforced, 'effect'), 'not enforceable here');
    assert.equal(detail(enforced, 'after'), 'restricted');
    assert.equal(detail(enforced, 'cause'), act.json.id);
    assert.ok(Number(detail(enforced, 'latency_ms')) < 1000);
    const expected = [
      { kind: 1, id: 0, tier: RESTRICTED },
      { kind: 3, id: 0, tier: RESTRICTED },
    ];
    assert.deepEqual(subjects(at), expected);

    const { pid } = await run('bpftool', ['prog', 'show', 'id', '4294967295']);
    const judged = await find(
      at,
      'a would-deny',
      ({ event }) => event.process?.pid === pid && event.verdict.decision === 'would_deny',
    );
    assert.equal(judged.event.act.command, 'PROG_GET_FD_BY_ID');
    assert.equal(judged.event.verdict.rule, 'tiers.restricted.commands');
    assert.equal(judged.event.verdict.enforced, false);
    assert.notEqual(judged.event.act.errno, 'EPERM', 'nothing is refused in mode audit');

    const explained = await json(at, 'explain', `uid:0@${HOST}`);
    const sum = explained.terms.reduce((total: number, term: { micropoints: number }) => {
      return total + term.micropoints;
    }, 0);
    assert.equal(sum, explained.trust_micropoints);
    assert.equal(explained.tier, 'restricted');

    await warden.killAll();
    assert.deepEqual(subjects(at), expected, 'the kernel keeps deciding while all are dead');
    warden = await Warden.start({ place: at, env: ENV });
    assert.deepEqual(subjects(at), expected);
  } finally {
    await warden.clean();
    at.remove();
  }
});

function policyWith(at: Placed, loader: string): string {
  const file = join(at.root, 'policy.yaml');
  writeFileSync(
    file,
    `version: 1
mode: observe
realms:
  - { name: corp, uids: 10000-59999 }
loaders:
  - { name: play-login, kind: login, match: { path: ${loader} } }
  - { name: my-agent, kind: agent, match: { path: ${join(at.root, 'agent')} } }
`,
  );
  return file;
}

test('a login uid counts when a login loader wrote it; else it is a claim, and S21', async () => {
  const at = place('login');
  const login = copied(at, 'login', 'play-login');
  const other = copied(at, 'login', 'not-a-login');
  const warden = await Warden.start({ place: at, env: ENV, policy: policyWith(at, login) });
  try {
    const churn = join(WORKLOADS, 'churn');
    assert.equal((await run(login, ['10001', churn, '1'])).code, 0);
    const counts = await find(at, 'alice', ({ event }) => event.map?.name === 'wl_churn');
    assert.equal(counts.event.principal, 'uid:10001@corp');
    assert.equal(counts.event.process?.auid, 10001);
    assert.equal(counts.event.process?.auidStatus, 'counts');
    assert.equal(counts.event.subject?.kind, 'auid');
    assert.equal(counts.event.subject?.id, 10001);

    assert.equal((await run(other, ['10002', churn, '1'])).code, 0);
    const claimed = await find(at, 'a claim', ({ event }) => event.process?.auid === 10002);
    assert.equal(claimed.event.process?.auidStatus, 'claimed');
    assert.equal(claimed.event.principal, `uid:0@${HOST}`, 'keyed by the uid that made the call');
    assert.ok(claimed.json.trust?.signals.includes('S21'));
  } finally {
    await warden.clean();
    at.remove();
  }
});

test('a known agent is a principal of its own', async () => {
  const at = place('agent');
  const agent = copied(at, 'churn', 'agent');
  const warden = await Warden.start({ place: at, env: ENV, policy: policyWith(at, '/bin/login') });
  try {
    assert.equal((await run(agent, ['1'])).code, 0);
    const act = await find(at, 'the agent', ({ event }) => event.map?.name === 'wl_churn');
    assert.equal(act.event.principal, `my-agent@${HOST}`);
    assert.equal(act.event.loader?.name, 'my-agent');
    assert.equal(act.event.process?.exeLabel, 'exec');
  } finally {
    await warden.clean();
    at.remove();
  }
});

test('control characters in names reach no terminal', async () => {
  const at = place('hostile');
  const hostile = copied(at, 'churn', 'e\x1b[31mvil\n\x9b2J');
  const warden = await Warden.start({ place: at, env: ENV });
  try {
    assert.equal((await run(hostile, ['1'])).code, 0);
    await find(at, 'the act', ({ event }) => event.map?.name === 'wl_churn');
    await warden.stop();
    for (const verb of [
      ['tail', '--all', '--no-follow'],
      ['trust'],
      ['explain', `uid:0@${HOST}`],
    ]) {
      const { code, stdout } = await run('./warden', [...verb, '--state', at.state]);
      assert.equal(code, 0);
      assert.doesNotMatch(stdout, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/, verb.join(' '));
    }
    const seen = await readEvents(at.database);
    const act = seen.find(({ event }) => event.map?.name === 'wl_churn');
    assert.ok(
      act?.event.loader?.path.includes('\x1b[31mvil\n'),
      'but the log has them as they are',
    );
  } finally {
    await warden.clean();
    at.remove();
  }
});
