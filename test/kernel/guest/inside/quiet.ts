import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import test from 'node:test';
import { run } from '#testkit';
import { open, tail, WORKLOADS } from './support.ts';

/** Nobody is refused who does what agents, tools and systemd do every day. */
const LOGIN = `${WORKLOADS}/login`;
const SAMPLE = `${WORKLOADS}/sample.bpf.o`;
const PINS = '/sys/fs/bpf/sample';
const CGROUP = '/sys/fs/cgroup/sample.service';

const POLICY = `version: 1
mode: enforce
realms: [{ name: corp, uids: 10000-59999 }]
loaders:
  - { name: play-login, kind: login, match: { path: ${LOGIN} } }
  - { name: bpftool, kind: tool, match: { path: /usr/bin/bpftool } }
`;

const DAY = [
  ['prog', 'loadall', SAMPLE, PINS, 'autoattach'],
  ['prog', 'show'],
  ['map', 'show'],
  ['link', 'show'],
  ['btf', 'show'],
  ['map', 'dump', 'name', 'sample_counts'],
  ['map', 'update', 'name', 'sample_counts', 'key', '1', '0', '0', '0', 'value', ...'00000000'],
  ['prog', 'dump', 'xlated', 'pinned', `${PINS}/sample_exec`],
  ['cgroup', 'attach', CGROUP, 'egress', 'pinned', `${PINS}/sample_egress`],
  ['cgroup', 'attach', CGROUP, 'device', 'pinned', `${PINS}/sample_device`, 'multi'],
  ['cgroup', 'show', CGROUP],
  ['cgroup', 'detach', CGROUP, 'egress', 'pinned', `${PINS}/sample_egress`],
  ['map', 'create', `${PINS}/kept`, ...'type hash key 4 value 4 entries 2 name kept'.split(' ')],
  ['map', 'pin', 'name', 'sample_counts', `${PINS}/counts`],
];

test('bpftool, libbpf and cgroup programs under mode enforce: no refusal', async () => {
  const scene = await open('quiet', POLICY);
  try {
    mkdirSync(CGROUP, { recursive: true });
    for (const who of [[LOGIN, '10001'], []]) {
      for (const args of DAY) {
        const [program = 'bpftool', ...rest] = [...who, 'bpftool', ...args];
        const ran = await run(program, rest);
        assert.equal(ran.code, 0, `${args.join(' ')}: ${ran.stderr}${ran.stdout}`);
      }
      await run('rm', ['-rf', PINS]);
    }
    await scene.warden.stop();
    const events = (await tail(scene)) as unknown as { verdict: Record<string, unknown> }[];
    const refused = events.filter(({ verdict }) => verdict.decision !== 'allow');
    assert.deepEqual(refused, []);
    assert.ok(events.length > 100, `${events.length} events`);
  } finally {
    await scene.end();
  }
});
