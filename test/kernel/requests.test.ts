import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'node:test';
import { hostName } from '#event';
import { compilePolicy, parsePolicy } from '#policy';
import { type Placed, place, run, Warden, waitFor } from '#testkit';

/** What root asks of a guard that runs: another policy, what raises, an end. */
const LOADER = resolve(import.meta.dirname, '../../bpf/build/warden-load');
const OBSERVE = 'version: 1\nmode: observe\n';
const TRUSTING = `${OBSERVE}trusted: ["uid:10001@corp"]
realms: [{ name: corp, uids: 10000-59999 }]
`;

const ask = (at: Placed, verb: string, ...args: string[]) =>
  run(LOADER, [verb, '--dir', at.run, ...args]);

interface Files {
  readonly compiled: string;
  readonly source: string;
}

/** A policy in the two files that `apply` takes; `broken` is what the services find. */
function policyFiles(at: Placed, text: string, broken?: string): Files {
  const parsed = parsePolicy(text, 'test');
  assert.ok(parsed.ok);
  const compiled = join(at.root, 'policy.compiled');
  const source = join(at.root, 'policy.yaml');
  writeFileSync(compiled, compilePolicy(parsed.policy, { host: hostName('test') }));
  writeFileSync(source, broken ?? text);
  chmodSync(source, 0o644);
  return { compiled, source };
}

const apply = (at: Placed, { compiled, source }: Files, ...more: string[]) =>
  ask(at, 'apply', '--policy', compiled, '--source', source, ...more);

const policyOf = (text: string): string => (JSON.parse(text) as { policy: string }).policy;
const loaded = (at: Placed): string => policyOf(readFileSync(join(at.run, 'load.json'), 'utf8'));
const starts = (warden: Warden): number =>
  warden.events().filter(({ act }) => (act as { command: string }).command === 'START').length;

async function startedAgain(warden: Warden, before: number): Promise<void> {
  await waitFor('the services to start again', () => starts(warden) > before, 90_000);
}

/** One instance for all; what each part leaves behind is said at its end. */
test('a running guard takes requests', async (t) => {
  const at = place('requests');
  const warden = await Warden.start({ place: at });
  const { pid } = warden;
  try {
    await t.test('another policy: the services start again, the monitor stays', async () => {
      const [before, count] = [loaded(at), starts(warden)];
      const { code, stdout, stderr } = await apply(at, policyFiles(at, TRUSTING), '--json');
      assert.deepEqual([code, stderr], [0, '']);
      assert.notEqual(loaded(at), before);
      assert.equal(policyOf(stdout), loaded(at));
      await startedAgain(warden, count);
      assert.doesNotMatch(warden.stderr, /restart in/, 'no death');
    });

    await t.test('a policy of somebody else is refused, and nothing changes', async () => {
      const before = loaded(at);
      const files = policyFiles(at, OBSERVE);
      chmodSync(files.source, 0o664);
      const { code, stderr } = await apply(at, files);
      assert.deepEqual([code, /writable by nobody else/.test(stderr)], [77, true]);
      const none = await apply(at, { ...files, source: join(at.root, 'nowhere') });
      assert.equal(none.code, 66);
      assert.equal(loaded(at), before);
    });

    await t.test('a policy that the services can not read unloads nothing', async () => {
      const count = starts(warden);
      const wrong = policyFiles(at, OBSERVE, 'version: 9\n');
      assert.equal((await apply(at, wrong)).code, 0);
      await warden.says(/restart in/, 90_000);
      assert.equal((await apply(at, policyFiles(at, TRUSTING))).code, 0);
      await startedAgain(warden, count);
      assert.equal(warden.pid, pid);
    });

    await t.test('raise and clear say what they did, and what is missing', () => raising(at));

    await t.test('requests at once wait for each other', async () => {
      const about = ['--id', 'a', '--author', 'b', '--reason', 'c', '--for-ms', '60000'];
      const ids = Array.from({ length: 16 }, (_, i) => `uid:${20_000 + i}`);
      const observe = ['--kind', 'observe', ...about, '--subject'];
      const done = await Promise.all([
        apply(at, policyFiles(at, TRUSTING)),
        ...ids.map((id) => ask(at, 'raise', ...observe, id)),
      ]);
      assert.deepEqual([...new Set(done.map(({ code }) => code))], [0]);
      const { raises } = JSON.parse((await ask(at, 'raises')).stdout) as { raises: Raised[] };
      assert.deepEqual(raises.map(({ subject }) => subject).sort(), ids);
    });

    await t.test('stop ends it, as Ctrl-C does', async () => {
      assert.deepEqual((await ask(at, 'stop')).code, 0);
      assert.equal((await warden.stop()).code, 0, warden.stderr);
      const again = await ask(at, 'stop');
      assert.deepEqual([again.code, /nothing runs there/.test(again.stderr)], [69, true]);
      assert.equal((await ask(at, 'raises')).code, 69, 'nothing is loaded');
    });
  } finally {
    await warden.clean();
    at.remove();
  }
});

interface Raised {
  readonly subject: string;
  readonly kind: string;
  readonly left_ms: number;
}

async function raising(at: Placed): Promise<void> {
  const about = ['--id', 'a', '--author', 'b', '--reason', 'c', '--subject', 'auid:10001'];
  const pin = ['--kind', 'pin', ...about];
  const hour = ['--for-ms', '3600000'];
  const wrong: readonly [readonly string[], RegExp][] = [
    [[...pin, ...hour], /needs --tier 0\.\.4/],
    [[...pin, '--tier', '5', ...hour], /needs a tier, 0 to 4/],
    [[...pin, '--tier', '4', '--for-ms', '2592000001'], /lasts 1 ms to 30 days/],
    [['--kind', 'observe', ...about, ...hour, '--tier', '4'], /leave --tier out/],
    [['--kind', 'break-glass', ...about, '--for-ms', '3600001'], /lasts 1 ms to 60 minutes/],
  ];
  for (const [args, message] of wrong) {
    const { code, stderr } = await ask(at, 'raise', ...args);
    assert.match(stderr, message);
    assert.equal(code, 64);
  }
  const given = await ask(at, 'raise', ...pin, '--tier', '4', ...hour, '--json');
  assert.deepEqual(JSON.parse(given.stdout), {
    schema: 'warden.raise/1',
    effect: 'given',
    kind: 'pin',
    id: 'a',
    for_ms: 3_600_000,
    subjects: ['auid:10001'],
  });
  const { raises } = JSON.parse((await ask(at, 'raises')).stdout) as { raises: Raised[] };
  assert.deepEqual(
    raises.map(({ subject, kind }) => [subject, kind]),
    [['auid:10001', 'pin']],
  );
  assert.ok((raises[0]?.left_ms ?? 0) > 3_500_000);
  assert.equal((await ask(at, 'clear', ...pin)).code, 0);
}
