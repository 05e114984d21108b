import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMANDS, GRANTED_COMMANDS, hostName, MAP_TYPES, PROGRAM_TYPES } from '#event';
import {
  compilePolicy,
  defaultPolicy,
  enforcesAnything,
  grantMasks,
  hashPolicy,
  inCanary,
  PolicyError,
  staged,
} from '#policy';
import { matches } from '../../../packages/policy/names.ts';
import { HEAD, policyOf } from './support.ts';

const GOLDEN = `${HEAD}
grants:
  networking:
    commands: [PROG_LOAD, "LINK_*", OBJ_GET]
    program_types: [XDP, "CGROUP_SOCK*", "!CGROUP_SOCKOPT"]
    map_types: [HASH, ARRAY]
    attach_types: [XDP, "CGROUP_INET*", TRACE_UPROBE_SESSION]
    helpers: [map_lookup_elem, cgrp_storage_delete, "!ktime_get_ns"]
    kfuncs: ["bpf_xdp_*", "!bpf_xdp_ct_*"]
    objects: own
    enforce: [helpers, objects]
  unknown: { commands: [], program_types: ["*"], map_types: ["*"], kfuncs: [] }
reflex:
  - { on: kfuncs, tier: quarantined, for: 90s }
  - { on: helpers, tier: denied, for: 10m }
ceiling: standard
tiers:
  standard: { grant: networking }
  restricted: { grant: none }
  quarantined: { grant: none }
loaders:
  - { name: sshd, kind: login, match: { path: /usr/sbin/sshd } }
  - name: my agent
    match: { path: /opt/my agent/bin/a=b }
    grant: networking
    floor: restricted
    code: [/usr/lib/libz.so.1, /lib64/ld-linux.so.2]
operators:
  - { name: alice, key: "${Buffer.alloc(32, 7).toString('base64')}" }
trusted: ["my-agent@web-1", "my-agent@web-2"]
bases: { principals: { "my-agent@web-1": 90, "my-agent@web-2": 90 } }
`.replace('name: my agent', 'name: my-agent');

const WEB = hostName('web-1');
const F = (digits: number): string => 'f'.repeat(digits);
const O = (digits: number): string => '0'.repeat(digits);

test('golden: the text for warden-load', () => {
  const policy = policyOf(
    GOLDEN.replace(
      '/opt/my agent/bin/a=b }',
      `/opt/my agent/bin/a=b, sha256: ${'ab'.repeat(32)} }`,
    ),
  );
  // PROG_LOAD 5, OBJ_GET 7, LINK_CREATE to LINK_GET_NEXT_ID 28 to 31, LINK_DETACH 34.
  // XDP 6, CGROUP_SOCK 9, CGROUP_SOCK_ADDR 18; HASH 1, ARRAY 2.
  // Attach types: CGROUP_INET* 0 to 2, 8 to 13, 29 to 32, 34; XDP 37; TRACE_UPROBE_SESSION 57.
  // Helpers 1 and 211; kfuncs go as they are. Enforced: dimensions 5 and 7.
  assert.equal(
    compilePolicy(policy, { host: WEB }),
    `warden-policy 6
hash ${hashPolicy(policy)}
default_tier 3
ceiling 3
protect 2
bulk_rate 500
operator alice key=${'07'.repeat(32)}
grant 0 commands=${F(16)} prog_types=${F(16)} map_types=${F(16)} attach_types=${F(32)} \
helpers=${F(64)} foreign=1 keyrings=1f keyring=0 enforce=0000 kfuncs=*
grant 1 commands=${O(16)} prog_types=${O(16)} map_types=${O(16)} attach_types=${O(32)} \
helpers=${O(64)} foreign=0 keyrings=00 keyring=0 enforce=0000 kfuncs=-
grant 2 commands=00000004f00000a0 prog_types=0000000000040240 map_types=0000000000000006 \
attach_types=000000000000000002000025e0003f07 helpers=0000000000080000${O(47)}2 \
foreign=0 keyrings=1f keyring=0 enforce=00a0 kfuncs=bpf_xdp_*,!bpf_xdp_ct_*
grant 3 commands=${O(16)} prog_types=00000001ffffffff map_types=00000003ffffffff \
attach_types=${F(32)} helpers=${F(64)} foreign=1 keyrings=1f keyring=0 enforce=0000 kfuncs=-
tier 0 grant=1
tier 1 grant=1
tier 2 grant=1
tier 3 grant=2
tier 4 grant=0
unknown_grant 3
trusted loader 2698837679
reflex 5 tier=0 for_ms=600000
reflex 6 tier=1 for_ms=90000
loader 2989211759 kind=login grant=0 floor=0 name=sshd sha256=- listed=0 \
keep=4294967295 path=/usr/sbin/sshd
loader 2698837679 kind=agent grant=2 floor=2 name=my-agent \
sha256=${'ab'.repeat(32)} listed=1 keep=0 path=/opt/my agent/bin/a=b
code 2698837679 path=/lib64/ld-linux.so.2
code 2698837679 path=/usr/lib/libz.so.1
end
`,
  );
});

/** Names of the set bits of a built-in grant's mask. */
function namesIn(name: string, list: 'commands' | 'programTypes' | 'mapTypes'): string[] {
  const names = [
    { commands: COMMANDS, programTypes: PROGRAM_TYPES, mapTypes: MAP_TYPES }[list],
  ].flat();
  if (list === 'commands') names[48] = 'ATTACH';
  const grant = grantMasks(defaultPolicy()).find((one) => one.name === name);
  const mask = grant?.[list] ?? 0n;
  assert.equal(mask >> BigInt(names.length), 0n, 'a bit without a name');
  return names.filter((_, number) => (mask >> BigInt(number)) & 1n);
}

test("the built-in grants are the trust model's table", () => {
  const but = (names: readonly string[], ...out: string[]): string[] =>
    names.filter((name) => !out.includes(name));
  assert.deepEqual(namesIn('standard', 'commands'), but(GRANTED_COMMANDS, 'TOKEN_CREATE'));
  assert.deepEqual(namesIn('standard', 'mapTypes'), but(MAP_TYPES, 'STRUCT_OPS'));
  assert.deepEqual(namesIn('standard', 'programTypes'), [
    'SOCKET_FILTER',
    'KPROBE',
    'SCHED_CLS',
    'TRACEPOINT',
    'XDP',
    'PERF_EVENT',
    'CGROUP_SKB',
    'CGROUP_SOCK',
    'CGROUP_DEVICE',
    'RAW_TRACEPOINT',
    'CGROUP_SOCK_ADDR',
    'CGROUP_SOCKOPT',
    'TRACING',
  ]);
  assert.deepEqual(namesIn('restricted', 'programTypes'), [
    'SOCKET_FILTER',
    'TRACEPOINT',
    'PERF_EVENT',
  ]);
  const own = COMMANDS.filter((name) => name.startsWith('MAP_'));
  assert.deepEqual(
    namesIn('restricted', 'commands').sort(),
    [
      ...but(own, 'MAP_GET_NEXT_ID', 'MAP_GET_FD_BY_ID'),
      ...['OBJ_GET', 'PROG_LOAD', 'LINK_CREATE', 'BTF_LOAD', 'OBJ_GET_INFO_BY_FD'],
    ].sort(),
  );
  for (const name of ['PROG_ARRAY', 'SOCKMAP', 'SOCKHASH', 'DEVMAP', 'XSKMAP', 'ARENA']) {
    assert.ok(!namesIn('restricted', 'mapTypes').includes(name));
  }
  assert.deepEqual(namesIn('quarantined', 'commands'), [
    'MAP_LOOKUP_ELEM',
    'MAP_GET_NEXT_KEY',
    'OBJ_GET_INFO_BY_FD',
  ]);
  assert.deepEqual(namesIn('quarantined', 'programTypes'), []);
  assert.deepEqual(namesIn('quarantined', 'mapTypes'), []);
});

test('each content of a loader is a line, and on_change its seconds', () => {
  const keepOf = (onChange: string): string[] => {
    const digests = ['cd', 'ab'].map((two) => `"${two.repeat(32)}"`);
    const loader = `name: x, match: { path: /x, sha256: [${digests}] }${onChange}`;
    const text = compilePolicy(
      policyOf(`${HEAD}signals: { S21: { weight: 0 } }\nloaders: [{ ${loader} }]\n`),
      { host: WEB },
    );
    return [...text.matchAll(/^loader .*sha256=(..)\S+ listed=0 keep=(\d+) /gm)].map(
      ([, digest, keep]) => `${digest} ${keep}`,
    );
  };
  assert.deepEqual(keepOf(''), ['ab 0', 'cd 0'], 'a content that is listed is no other');
  assert.deepEqual(keepOf(', on_change: deny'), ['ab 0', 'cd 0']);
  assert.deepEqual(keepOf(', on_change: keep'), ['ab 4294967295', 'cd 4294967295']);
  assert.deepEqual(keepOf(', on_change: keep 90s'), ['ab 90', 'cd 90']);
  assert.deepEqual(keepOf(', on_change: keep 24h'), ['ab 86400', 'cd 86400']);
  assert.deepEqual(keepOf(', on_change: keep 7d'), ['ab 604800', 'cd 604800']);
});

test('the built-in policy fits the format', () => {
  const mask = (name: string, digits: number): string => `${name}=[0-9a-f]{${digits}}`;
  const masks = [
    ...['commands', 'prog_types', 'map_types'].map((name) => mask(name, 16)),
    mask('attach_types', 32),
    mask('helpers', 64),
  ].join(' ');
  const lines = [
    'warden-policy 6|hash [0-9a-f]{64}|default_tier 3|ceiling 4|protect 1|bulk_rate 500',
    'unknown_grant 0|end',
    `grant \\d+ ${masks} foreign=[01] keyrings=(1f|00) keyring=0 enforce=0000 kfuncs=\\S+`,
    'tier [0-4] grant=\\d+',
    'loader \\d+ kind=(agent|tool|login|runtime) grant=\\d+ floor=0 name=\\S+ ' +
      'sha256=- listed=0 keep=4294967295 path=/.+',
  ];
  const line = new RegExp(`^(${lines.join('|')})$`);
  const text = compilePolicy(defaultPolicy(), { host: WEB });
  for (const one of text.trimEnd().split('\n')) assert.match(one, line);
});

test('the largest policy fits the limits of the kernel side', () => {
  const grant = '{ commands: ["*"], program_types: ["*"], map_types: ["*"] }';
  const grants = Array.from({ length: 56 }, (_, i) => `  g${i}: ${grant}`).join('\n');
  const loaders = Array.from({ length: 256 }, (_, i) => {
    const kind = i === 0 ? 'login' : 'agent';
    return `  - { name: l${i}, kind: ${kind}, match: { path: /l${i} }, grant: g${i % 56} }`;
  }).join('\n');
  const lines = compilePolicy(policyOf(`${HEAD}grants:\n${grants}\nloaders:\n${loaders}\n`), {
    host: WEB,
  })
    .split('\n')
    .filter((line) => line.startsWith('grant'));
  assert.equal(lines.length, 2 + 3 + 56);
});

test('a path that would break a line is refused, wherever the policy came from', () => {
  const policy = defaultPolicy();
  const [first, ...others] = policy.loaders;
  for (const path of ['/a\nend', '/a\0', '/a\r']) {
    const loaders = [{ ...first!, path }, ...others];
    assert.throws(() => compilePolicy({ ...policy, loaders }, { host: WEB }), PolicyError);
  }
  const grants = [{ ...policy.loaders[0]!, grant: 'gone' }];
  assert.throws(() => compilePolicy({ ...policy, loaders: grants }, { host: WEB }), PolicyError);
  const many = new Array(257).fill(first);
  assert.throws(() => compilePolicy({ ...policy, loaders: many }, { host: WEB }), PolicyError);
});

test('patterns', () => {
  const rows: readonly [string, string, boolean][] = [
    ['MAP_CREATE', 'MAP_CREATE', true],
    ['MAP_CREATE', 'MAP_CREAT', false],
    ['MAP_*', 'MAP_CREATE', true],
    ['MAP_*', 'PROG_LOAD', false],
    ['*_ELEM', 'MAP_LOOKUP_ELEM', true],
    ['*_ELEM', 'MAP_LOOKUP_BATCH', false],
    ['*GET*ID', 'PROG_GET_FD_BY_ID', true],
    ['*GET*ID', 'PROG_GET_NEXT', false],
    ['*', '', true],
    ['', '', true],
    ['', 'X', false],
    ['**A**', 'BAB', true],
    ['map_*', 'MAP_CREATE', false],
  ];
  for (const [pattern, name, expected] of rows) {
    assert.deepEqual([pattern, name, matches(pattern, name)], [pattern, name, expected]);
  }
  const before = process.cpuUsage();
  matches(`${'*A'.repeat(30)}B`, 'A'.repeat(64));
  const { user } = process.cpuUsage(before);
  assert.ok(user < 100_000, `${user} us of a processor`);
});

const ENFORCING = `${HEAD.replace('observe', 'enforce')}
grants:
  standard:
    commands: ["*"]
    program_types: ["*"]
    map_types: ["*"]
    helpers: ["!probe_write_user", "*"]
    observe: [kfuncs]
`;

test('a stage says what refuses, and never which policy it is', () => {
  const policy = policyOf(ENFORCING);
  const at = (stage: 'observe' | 'canary' | 'enforce', percent = 100): string =>
    compilePolicy(policy, { host: WEB, rollout: { stage, percent } });
  const plain = compilePolicy(policy, { host: WEB });
  assert.equal(at('enforce'), plain);
  assert.equal(at('canary'), plain);
  assert.equal(at('canary', 0), at('observe'));
  const rest = (text: string) => text.replace(/enforce=\w+|^protect \d$/gm, '');
  assert.equal(rest(at('observe')), rest(plain));
  assert.deepEqual([...new Set(at('observe').match(/enforce=\w+/g))], ['enforce=0000']);
  const byName = policyOf(`${HEAD}${ENFORCING.slice(HEAD.length).replace('observe:', 'enforce:')}`);
  assert.ok(enforcesAnything(byName));
  const reach = { stage: 'observe', percent: 0 } as const;
  assert.ok(!enforcesAnything(staged(byName, WEB, reach)), 'not what enforces by name either');
});

test('a canary is a share of the hosts, others with each policy', () => {
  const hosts = Array.from({ length: 2000 }, (_, i) => hostName(`web-${i}`));
  const first = hosts.filter((host) => inCanary(host, 'a'.repeat(64), 10));
  const second = hosts.filter((host) => inCanary(host, 'b'.repeat(64), 10));
  assert.ok(first.length > 140 && first.length < 260, `${first.length} of 2000`);
  const both = first.filter((host) => second.includes(host)).length;
  assert.ok(both < 60, `${both} hosts in both`);
  const wider = hosts.filter((host) => inCanary(host, 'a'.repeat(64), 30));
  assert.ok(
    first.every((host) => wider.includes(host)),
    'who was in it stays in it',
  );
  assert.equal(hosts.filter((host) => inCanary(host, 'a'.repeat(64), 100)).length, 2000);
});
