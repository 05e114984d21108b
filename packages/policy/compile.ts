import { hashPolicy } from './canonical.ts';
import { UNKNOWN_GRANT } from './check.ts';
import { ALL_BITS, maskOf } from './names.ts';
import type { Policy } from './policy.ts';
import { PolicyError } from './problem.ts';

/** A grant as the kernel holds it: bit n is number n of the kernel's enum. */
export interface GrantMasks {
  readonly name: string;
  readonly commands: bigint;
  readonly programTypes: bigint;
  readonly mapTypes: bigint;
}

/** What subjects without a tier of their own get, and records per second when bulk is half full. */
const DEFAULT_TIER = 3;
const BULK_RATE = 500;
const GRANTS_MAX = 64;
const LOADERS_MAX = 256;

/** Grants by index: `all`, `none`, then the policy's by name. */
export function grantMasks(policy: Policy): readonly GrantMasks[] {
  const all = { commands: ALL_BITS, programTypes: ALL_BITS, mapTypes: ALL_BITS };
  return [
    { name: 'all', ...all },
    { name: 'none', commands: 0n, programTypes: 0n, mapTypes: 0n },
    ...policy.grants.map(({ name, commands, programTypes, mapTypes }) => ({
      name,
      commands: maskOf('commands', commands),
      programTypes: maskOf('program_types', programTypes),
      mapTypes: maskOf('map_types', mapTypes),
    })),
  ];
}

const hex = (mask: bigint): string => mask.toString(16).padStart(16, '0');

/**
 * The policy as the text that warden-load reads: a line each, in this order: hash, default tier,
 * bulk rate, grants, tiers, the grant of unknown loaders, loaders, end. A loader's path is the rest
 * of its line. Throws `PolicyError` for a policy not from `parsePolicy` that breaks a limit.
 */
export function compilePolicy(policy: Policy): string {
  const grants = grantMasks(policy);
  const indexOf = (name: string): number => {
    const index = grants.findIndex((grant) => grant.name === name);
    return index >= 0 ? index : refuse(`no grant ${name}`);
  };
  if (grants.length > GRANTS_MAX) refuse(`${grants.length} grants`);
  if (policy.loaders.length > LOADERS_MAX) refuse(`${policy.loaders.length} loaders`);
  const unknown = grants.findIndex(({ name }) => name === UNKNOWN_GRANT);
  return [
    'warden-policy 1',
    `hash ${hashPolicy(policy)}`,
    `default_tier ${DEFAULT_TIER}`,
    `bulk_rate ${BULK_RATE}`,
    ...grants.map(
      ({ commands, programTypes, mapTypes }, i) =>
        `grant ${i} commands=${hex(commands)} prog_types=${hex(programTypes)} ` +
        `map_types=${hex(mapTypes)}`,
    ),
    ...policy.tiers.map((name, tier) => `tier ${tier} grant=${indexOf(name)}`),
    `unknown_grant ${Math.max(0, unknown)}`,
    ...policy.loaders.map(({ name, kind, path, sha256, grant }, i) => {
      if (/[\0\n\r]/.test(name + path)) refuse(`path of loader ${i + 1}`);
      const what = `kind=${kind} grant=${indexOf(grant)} name=${name}`;
      return `loader ${i + 1} ${what} sha256=${sha256 ?? '-'} path=${path}`;
    }),
    'end',
    '',
  ].join('\n');
}

function refuse(message: string): never {
  const place = { file: 'policy', line: 1, column: 1, path: '' };
  throw new PolicyError([{ code: 'BAD_VALUE', ...place, message, expected: null, nearest: null }]);
}
