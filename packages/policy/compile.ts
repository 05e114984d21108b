import { createHash } from 'node:crypto';
import type { HostName, Stage, Subject } from '#event';
import { hashPolicy } from './canonical.ts';
import { UNKNOWN_GRANT } from './check.ts';
import { DIMENSIONS, type Dimension, keyringsOf, maskOf, TAMPER } from './names.ts';
import { loaderNumber } from './number.ts';
import type { Domain, Grant, Policy, Reflex } from './policy.ts';
import { subjectsOf } from './principal.ts';
import { PolicyError } from './problem.ts';

/** A grant as the kernel holds it: bit n is number n of the kernel's enum. */
export interface GrantMasks {
  readonly name: string;
  readonly commands: bigint;
  readonly programTypes: bigint;
  readonly mapTypes: bigint;
  readonly attachTypes: bigint;
  readonly helpers: bigint;
  /** Bit n is dimension n: denied rather than recorded as would-deny. */
  readonly enforce: number;
  readonly foreign: boolean;
  /** Bit n is `enum wd_keyring` n, and the number of the one that counts by it. */
  readonly keyrings: number;
  readonly serial: number;
  /** Patterns: warden-load makes classes of them, since only it knows the kernel's kfuncs. */
  readonly kfuncs: readonly string[];
}

/** What subjects without a tier of their own get, and records per second when bulk is half full. */
const DEFAULT_TIER = 3;
const BULK_RATE = 500;
/** `enum wd_protect`: what happens to whoever would reach the guard itself. */
const PROTECT = { observe: 1, enforce: 2 } as const;
const GRANTS_MAX = 64;
const LOADERS_MAX = 256;
const CODE_MAX = 2048;
/** Seconds that mean: until the policy is applied again. */
const KEEP_ALWAYS = 0xffff_ffff;

function enforceBits(policy: Policy, grant: Pick<Grant, 'enforce' | 'observe'>): number {
  const isEnforced = (dimension: Dimension): boolean =>
    policy.mode === 'enforce'
      ? !grant.observe.includes(dimension)
      : grant.enforce.includes(dimension);
  return DIMENSIONS.reduce(
    (bits, dimension, i) => (isEnforced(dimension) ? bits | (1 << (i + 1)) : bits),
    0,
  );
}

/** The same policy in mode enforce; what observes by name goes on observing. */
export function enforcing(policy: Policy): Policy {
  const grants = policy.grants.map((grant) => ({ ...grant, enforce: [] }));
  return { ...policy, mode: 'enforce', grants };
}

/** Whether anything is refused by this policy, where the kernel can. */
export function enforcesAnything(policy: Policy): boolean {
  return grantMasks(policy).some(({ enforce }) => enforce !== 0);
}

/** Grants by index: `all`, `none`, then the policy's by name. */
export function grantMasks(policy: Policy): readonly GrantMasks[] {
  const enforce = enforceBits(policy, { enforce: [], observe: [] });
  const builtIn = (name: string, lists: readonly string[] | null): GrantMasks => ({
    name,
    commands: maskOf('commands', lists),
    programTypes: maskOf('program_types', lists),
    mapTypes: maskOf('map_types', lists),
    attachTypes: maskOf('attach_types', lists),
    helpers: maskOf('helpers', lists),
    enforce,
    foreign: lists === null,
    keyrings: keyringsOf(lists).bits,
    serial: 0,
    kfuncs: lists ?? ['*'],
  });
  return [
    builtIn('all', null),
    builtIn('none', []),
    ...policy.grants.map((grant) => ({
      name: grant.name,
      commands: maskOf('commands', grant.commands),
      programTypes: maskOf('program_types', grant.programTypes),
      mapTypes: maskOf('map_types', grant.mapTypes),
      attachTypes: maskOf('attach_types', grant.attachTypes),
      helpers: maskOf('helpers', grant.helpers),
      enforce: enforceBits(policy, grant),
      foreign: grant.objects === 'any',
      keyrings: keyringsOf(grant.signature).bits,
      serial: keyringsOf(grant.signature).serial,
      kfuncs: grant.kfuncs ?? ['*'],
    })),
  ];
}

const hex = (mask: bigint, bits: number): string => mask.toString(16).padStart(bits / 4, '0');

function grantLine(grant: GrantMasks, index: number): string {
  return [
    `grant ${index}`,
    `commands=${hex(grant.commands, 64)}`,
    `prog_types=${hex(grant.programTypes, 64)}`,
    `map_types=${hex(grant.mapTypes, 64)}`,
    `attach_types=${hex(grant.attachTypes, 128)}`,
    `helpers=${hex(grant.helpers, 256)}`,
    `foreign=${grant.foreign ? 1 : 0}`,
    `keyrings=${hex(BigInt(grant.keyrings), 8)}`,
    `keyring=${grant.serial}`,
    `enforce=${hex(BigInt(grant.enforce), 16)}`,
    `kfuncs=${grant.kfuncs.length === 0 ? '-' : grant.kfuncs.join(',')}`,
  ].join(' ');
}

/** For which host, and how far the policy is rolled out; without a rollout it is as it says. */
export interface CompileOptions {
  readonly host: HostName;
  readonly rollout?: Reach;
}

/** How far a policy is rolled out; `percent` of the hosts while it is a canary. */
export interface Reach {
  readonly stage: Stage;
  readonly percent: number;
}

/** Whether a host is among the first `percent`: others with each policy, the same for one. */
export function inCanary(host: HostName, hash: string, percent: number): boolean {
  const digest = createHash('sha256').update(`${host}\0${hash}`).digest();
  return digest.readUInt32BE(0) % 100 < percent;
}

/** The same policy in mode observe, whatever its grants enforce by name. */
export function observing(policy: Policy): Policy {
  const grants = policy.grants.map((grant) => ({ ...grant, enforce: [] }));
  return { ...policy, mode: 'observe', grants };
}

/** The policy as this host is to follow it: what is not rolled out that far only observes. */
export function staged(policy: Policy, host: HostName, reach: Reach | undefined): Policy {
  if (reach === undefined || reach.stage === 'enforce') return policy;
  const { stage, percent } = reach;
  const counts = stage === 'canary' && inCanary(host, hashPolicy(policy), percent);
  return counts ? policy : observing(policy);
}

const TRUSTED_MAX = 512;

/** Whose default tier is trusted, as this host's kernel knows them. */
function trustedSubjects(policy: Policy, host: HostName): readonly Subject[] {
  const { realms, loaders } = policy;
  const subjects = policy.trusted.flatMap((one) => subjectsOf(one, { host, realms, loaders }));
  if (subjects.length > TRUSTED_MAX) refuse(`${subjects.length} trusted subjects of one host`);
  return subjects;
}

const reflexNumber = (on: Reflex['on']): number => (on === TAMPER ? 0 : DIMENSIONS.indexOf(on) + 1);

function domainLine({ mode }: Policy, domain: Domain): string {
  const { path, owners, readers, maps, access, helpers } = domain;
  const numbers = (names: readonly string[]) => names.map(loaderNumber).join() || '-';
  return [
    // A domain is known by its path, as a loader is by its name.
    `domain ${loaderNumber(path)}`,
    `enforce=${mode === 'enforce' ? 1 : 0}`,
    `write=${access === 'write' ? 1 : 0}`,
    `helpers=${hex(maskOf('helpers', helpers), 256)}`,
    `owners=${numbers(owners)}`,
    `readers=${numbers(readers)}`,
    `maps=${maps.join() || '-'}`,
    `path=${path}`,
  ].join(' ');
}

/** Loaders of one name have one list. */
function codeLines({ loaders }: Policy): readonly string[] {
  const lines = loaders.flatMap(({ name, code }) =>
    (code ?? []).map((path) => `code ${loaderNumber(name)} path=${path}`),
  );
  const unique = [...new Set(lines)];
  if (unique.length > CODE_MAX) refuse(`${unique.length} files of code`);
  return unique;
}

/**
 * The policy as the text that warden-load reads (bpf/load/policy.h): a line each, in this order:
 * hash, scalars, operators, grants, tiers, the grant of unknown loaders, trusted subjects,
 * reflexes, loaders, code of these, adopted loaders, domains, end. A loader's path is the rest of
 * its line, and so are a file's and a domain's. Throws `PolicyError` for a
 * policy not from `parsePolicy` that breaks a limit.
 */
export function compilePolicy(given: Policy, { host, rollout }: CompileOptions): string {
  const policy = staged(given, host, rollout);
  const grants = grantMasks(policy);
  const indexOf = (name: string): number => {
    const index = grants.findIndex((grant) => grant.name === name);
    return index >= 0 ? index : refuse(`no grant ${name}`);
  };
  if (grants.length > GRANTS_MAX) refuse(`${grants.length} grants`);
  const files = policy.loaders.reduce((sum, { sha256 }) => sum + Math.max(1, sha256.length), 0);
  if (files > LOADERS_MAX) refuse(`${files} contents of loaders, at most ${LOADERS_MAX}`);
  const unknown = grants.findIndex(({ name }) => name === UNKNOWN_GRANT);
  return [
    'warden-policy 6',
    `hash ${hashPolicy(given)}`,
    `default_tier ${DEFAULT_TIER}`,
    `ceiling ${policy.ceiling}`,
    `protect ${enforcesAnything(policy) ? PROTECT.enforce : PROTECT.observe}`,
    `bulk_rate ${BULK_RATE}`,
    ...policy.operators.map(
      ({ name, key }) => `operator ${name} key=${Buffer.from(key, 'base64').toString('hex')}`,
    ),
    ...grants.map(grantLine),
    ...policy.tiers.map((name, tier) => `tier ${tier} grant=${indexOf(name)}`),
    `unknown_grant ${Math.max(0, unknown)}`,
    ...trustedSubjects(policy, host).map(({ kind, id }) => `trusted ${kind} ${id}`),
    ...policy.reflex.map(
      ({ on, tier, forMs }) => `reflex ${reflexNumber(on)} tier=${tier} for_ms=${forMs}`,
    ),
    ...policy.loaders.flatMap(({ name, kind, path, sha256, grant, floor, keepMs, code }) => {
      if (/[\0\n\r]/.test(name + path)) refuse(`path of loader ${name}`);
      const what = `kind=${kind} grant=${indexOf(grant)} floor=${floor} name=${name}`;
      const keep = `listed=${code === null ? 0 : 1} keep=${Math.min(KEEP_ALWAYS, keepMs / 1000)}`;
      return (sha256.length > 0 ? sha256 : ['-']).map(
        (digest) => `loader ${loaderNumber(name)} ${what} sha256=${digest} ${keep} path=${path}`,
      );
    }),
    ...codeLines(policy),
    ...policy.protect.map((name) => `adopt ${loaderNumber(name)}`),
    ...policy.bpffs.map((domain) => domainLine(policy, domain)),
    'end',
    '',
  ].join('\n');
}

function refuse(message: string): never {
  const place = { file: 'policy', line: 1, column: 1, path: '' };
  throw new PolicyError([{ code: 'BAD_VALUE', ...place, message, expected: null, nearest: null }]);
}
