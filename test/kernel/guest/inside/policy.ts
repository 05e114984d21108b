import { createHash, generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { installed, WORKLOADS } from './support.ts';

/** Who is who in the scenarios. */
export const LOADS = `${WORKLOADS}/loads`;
export const LOGIN = `${WORKLOADS}/login`;
/** The same program as a loader that the policy knows by its content. */
export const AGENT = installed('loads', 'agent');
/** As one that may load everything but what is named below. */
export const SKELETON = installed('loads', 'skeleton');
/** Whom the policy lets do all but attach by ways that are not bpf(2). */
export const NARROW = installed('reach', 'narrow');
/** An agent with a directory of its own, one that it shows a map to, and one that it adopts. */
export const KEEPER = installed('pins', 'keeper');
export const READER = installed('pins', 'reader');
export const SHY = installed('pins', 'shy');
export const KEPT = '/sys/fs/bpf/keeper';
export const RACER = installed('racer', 'racer');

/** Who signs tokens; the raw key is what is behind the DER's twelve bytes. */
export const OPERATOR = 'carol';
const pair = generateKeyPairSync('ed25519');
export const OPERATOR_KEY = pair.privateKey;
const publicKey = pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(12);

/** Trusted, so that only the loader's grant decides. */
export const TRUSTED = 10020;
export const REFLEX_MS = 5000;

const digest = createHash('sha256').update(readFileSync(AGENT)).digest('hex');

// Roots fall here by turns, each in a part of its own: the lab and the unit tests have the ceiling.
export const POLICY = `version: 1
mode: enforce
root_fall: trusted
realms: [{ name: corp, uids: 10000-59999 }]
trusted: ["uid:${TRUSTED}@corp"]
operators: [{ name: ${OPERATOR}, key: "${publicKey.toString('base64')}" }]
loaders:
  - { name: play-login, kind: login, match: { path: ${LOGIN} } }
  - { name: bpftool, kind: tool, match: { path: /usr/bin/bpftool } }
  # This test's own, or it would be an unknown loader as well. Ours is not listed: it must get by.
  - { name: node, kind: tool, match: { path: /usr/bin/node } }
  - { name: agent, match: { path: ${AGENT}, sha256: "${digest}" }, floor: standard }
  - { name: skeleton, kind: tool, match: { path: ${SKELETON} }, grant: skeleton }
  - { name: racer, kind: tool, match: { path: ${RACER} }, grant: no-ktime }
  - { name: keeper, match: { path: ${KEEPER} } }
  - { name: reader, match: { path: ${READER} } }
  - { name: shy, match: { path: ${SHY} } }
  - { name: narrow, kind: tool, match: { path: ${NARROW} }, grant: no-attach }
grants:
  skeleton:
    commands: ["*"]
    program_types: ["*"]
    map_types: ["*"]
    helpers: ["*", "!probe_write_user", "!ktime_get_tai_ns"]
    kfuncs: ["*", "!bpf_rcu_read_lock", "!bpf_lookup_user_key", "!bpf_ct_release"]
  no-ktime:
    commands: ["*"]
    program_types: ["*"]
    map_types: ["*"]
    helpers: ["*", "!ktime_get_ns"]
  no-attach: { commands: ["*", "!ATTACH"], program_types: ["*"], map_types: ["*"] }
  unknown: { commands: ["*"], program_types: ["*"], map_types: ["*"], objects: own }
protect: [shy]
bpffs:
  - path: ${KEPT}
    owners: [keeper]
    expose: { maps: ["shown_*"], to: [reader] }
    helpers: ["*", "!ktime_get_tai_ns"]
reflex:
  - { on: objects, tier: quarantined, for: ${REFLEX_MS / 1000}s }
`;
