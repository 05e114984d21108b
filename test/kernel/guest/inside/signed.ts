import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { loads } from './loading.ts';
import { find, open, type Scene } from './support.ts';

const BIN = '/usr/local/bin';
const VENDOR = '/root/signatures';
const STRANGER = '/root/strangers';

/** As the kernel numbers them. */
const [CGROUP_SKB, CGROUP_SOCK] = ['8', '9'];
const [EGRESS, SOCK_CREATE, POST_BIND] = ['1', '2', '12'];

/** A keyring of one certificate; its number. */
function keyring(of: string, name: string): string {
  return execFileSync(`${BIN}/lab-keys`, [`${of}/certificate`, name])
    .toString()
    .trim();
}

const vendors = keyring(VENDOR, 'vendor');
const strangers = keyring(STRANGER, 'stranger');

const POLICY = `version: 1
mode: enforce
loaders:
  - { name: node, kind: tool, match: { path: /usr/bin/node } }
  - { name: vendor, match: { path: ${BIN}/lab-load }, grant: signed }
grants:
  signed:
    commands: ["*"]
    program_types: [CGROUP_SOCK]
    map_types: ["*"]
    attach_types: [CGROUP_INET_SOCK_CREATE]
    signature: ["keyring:${vendors}"]
# Nobody logs in here.
signals: { S21: { weight: 0 } }
`;

interface Load {
  readonly type?: string;
  readonly attach?: string;
  readonly signed?: readonly [keyring: string, by: string];
}

interface Refusal {
  readonly rule: string;
  /** What the event says of it. */
  readonly signature: string;
}

const signedBy = ({ signed }: Load): string[] =>
  signed === undefined ? [] : [signed[0], `${signed[1]}/lab_learn`];

async function tried(load: Load) {
  const { type = CGROUP_SOCK, attach = SOCK_CREATE } = load;
  const { pid, errnos } = await loads(null, [type, attach, ...signedBy(load)], `${BIN}/lab-load`);
  return { pid, errno: errnos[0] ?? null };
}

async function eventOf(scene: Scene, pid: number) {
  const { event } = await find(scene, `a load of ${pid}`, (seen) => {
    const { process, act } = seen.event;
    return process?.pid === pid && act.command === 'PROG_LOAD';
  });
  return event;
}

async function refused(scene: Scene, load: Load, { rule, signature }: Refusal): Promise<void> {
  const { pid, errno } = await tried(load);
  assert.equal(errno, 'EPERM', rule);
  const { verdict, program } = await eventOf(scene, pid);
  assert.deepEqual([verdict.decision, verdict.rule], ['deny', rule]);
  assert.equal(program?.signature, signature, rule);
}

const scene = await open('signed', POLICY);
const byVendor = [vendors, VENDOR] as const;

test('what the vendor signed loads', async () => {
  const { pid, errno } = await tried({ signed: byVendor });
  assert.equal(errno, null);
  const { verdict, program } = await eventOf(scene, pid);
  assert.equal(verdict.decision, 'allow');
  assert.equal(program?.signature, 'verified:user');
});

test('the same program is refused without a signature', () =>
  refused(scene, {}, { rule: 'loaders.vendor.signature', signature: 'none' }));

test('and with one by another key, which another keyring vouches for', () =>
  refused(
    scene,
    { signed: [strangers, STRANGER] },
    { rule: 'loaders.vendor.signature', signature: 'verified:user' },
  ));

test('a signature by another key is none to the keyring that counts', async () => {
  const { errno } = await tried({ signed: [vendors, STRANGER] });
  assert.equal(errno, 'ENOKEY', "the kernel's own answer");
});

// A signature covers the instructions and nothing else: what they become is for the grant to say.
// It says so before anybody looks into the program.
test('what is signed is no other type', () =>
  refused(
    scene,
    { type: CGROUP_SKB, attach: EGRESS, signed: byVendor },
    { rule: 'loaders.vendor.program_types', signature: 'unknown' },
  ));

test('nor is it attached where the grant does not say', () =>
  refused(
    scene,
    { attach: POST_BIND, signed: byVendor },
    { rule: 'loaders.vendor.attach_types', signature: 'unknown' },
  ));

test('the end', () => scene.end());
