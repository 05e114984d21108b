import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { run } from '#testkit';
import { LOGIN } from './policy.ts';
import { eventsOf, find, type Scene, WORKLOADS } from './support.ts';

/** Nobody is refused who does what agents, tools and systemd do every day. */
const SAMPLE = `${WORKLOADS}/sample.bpf.o`;
const PINS = '/sys/fs/bpf/sample';
const CGROUP = '/sys/fs/cgroup/sample.service';

const DAY = [
  `prog loadall ${SAMPLE} ${PINS} pinmaps ${PINS}/maps`,
  'prog show',
  'map show',
  'link show',
  'btf show',
  `map dump pinned ${PINS}/maps/sample_counts`,
  `map update pinned ${PINS}/maps/sample_counts key 1 0 0 0 value 0 0 0 0 0 0 0 0`,
  `cgroup attach ${CGROUP} egress pinned ${PINS}/sample_egress`,
  `cgroup attach ${CGROUP} device pinned ${PINS}/sample_device multi`,
  `cgroup show ${CGROUP}`,
  `cgroup detach ${CGROUP} egress pinned ${PINS}/sample_egress`,
  `cgroup detach ${CGROUP} device pinned ${PINS}/sample_device`,
  `map create ${PINS}/kept type hash key 4 value 4 entries 2 name kept`,
  `map pin pinned ${PINS}/maps/sample_counts ${PINS}/counts`,
];

export async function quiet(scene: Scene): Promise<void> {
  mkdirSync(CGROUP, { recursive: true });
  for (const who of [[LOGIN, '10030'], []]) {
    for (const line of [...DAY.map((one) => `bpftool ${one}`), `rm -rf ${PINS}`]) {
      const [program = '', ...args] = [...who, ...line.split(' ')];
      const ran = await run(program, args);
      assert.equal(ran.code, 0, `${line}: ${ran.stderr}${ran.stdout}`);
    }
  }
  const last = await run('bpftool', ['map', 'show', 'id', '4294967295']);
  await find(scene, 'an act behind it', ({ event }) => event.process?.pid === last.pid);
  const theirs = (await eventsOf(scene)).filter(({ event }) => event.loader?.name === 'bpftool');
  assert.ok(theirs.length > 100, `${theirs.length} events`);
  // Ours are not there for a tool that lists all: it goes on to the next.
  const refused = theirs.filter(
    ({ event: { verdict } }) => verdict.decision !== 'allow' && verdict.rule !== 'guard.hidden',
  );
  assert.deepEqual(
    refused.map(({ json }) => [json.act, json.verdict]),
    [],
  );
}
