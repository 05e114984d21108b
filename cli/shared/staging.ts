import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, hostIdentity } from '#config';
import { compilePolicy, hashPolicy } from '#policy';
import { type LoadedPolicy, rolloutFile } from './policy-file.ts';

/** Names of the two files that warden-load and the services read. */
export interface Staged {
  readonly compiled: string;
  readonly source: string;
}

/** A file that the services may read, and only root may write. */
function publish(file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o644 });
  chmodSync(file, 0o644);
}

/**
 * Leaves the compiled policy for warden-load and the policy itself for the services, under the name
 * of its content and stage: a start that is refused must not change what a running instance reads.
 */
export function stagePolicy(
  { runDir }: Pick<Config, 'runDir'>,
  { policy, text, rollout }: Pick<LoadedPolicy, 'policy' | 'text' | 'rollout'>,
): Staged {
  mkdirSync(runDir, { recursive: true, mode: 0o755 });
  const stage = rollout === null ? '' : `-${rollout.stage}-${rollout.percent}`;
  const name = join(runDir, `policy-${hashPolicy(policy).slice(0, 16)}${stage}`);
  const files = { compiled: `${name}.compiled`, source: `${name}.yaml` };
  const host = hostIdentity(process.env);
  const compiled = compilePolicy(policy, { host, ...(rollout !== null && { rollout }) });
  writeFileSync(files.compiled, compiled, { mode: 0o600 });
  publish(files.source, text);
  if (rollout !== null) publish(rolloutFile(files.source), `${JSON.stringify(rollout)}\n`);
  return files;
}
