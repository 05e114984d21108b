import { ACT_FLAGS, type KernelAct } from '#bpf';
import { hostName } from '#event';
import { defaultPolicy } from '#policy';
import type { Context } from '../../../services/collector/translate.ts';

export const LOOKUP = 1;

/** A map look-up by root, as the kernel records the first of its kind. */
export const act: KernelAct = {
  bootNs: 5n,
  lost: 0,
  subject: { kind: 3, id: 0 },
  result: 0,
  cgroupId: 1n,
  durationNs: 10,
  exe: { inode: 7n, device: 8, generation: 9 },
  command: LOOKUP,
  via: 0,
  attrSize: 32,
  pid: 4121,
  tid: 4121,
  ppid: 1,
  uid: 0,
  euid: 0,
  auid: null,
  session: null,
  userns: 1,
  mntns: 1,
  flags: ACT_FLAGS.counterFirst | ACT_FLAGS.capBpf,
  loader: 0,
  exeFlags: 0,
  exeUid: 0,
  label: 0,
  runtime: 0,
  decision: 0,
  rule: 0,
  tier: 3,
  tierFrom: 0,
  exeDigest: null,
  path: '/usr/bin/reader',
  cgroup: '/',
  comm: 'reader',
  named: null,
  claim: null,
  object: null,
  facts: null,
};

export const context: Context = {
  host: hostName('web-1'),
  mode: 'audit',
  policy: defaultPolicy(),
  bootOffsetNs: 0n,
  ownerOf: () => null,
};
