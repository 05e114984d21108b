import { hostPrincipal, type Override } from '#event';
import type { Fault } from '#fold';
import { hashPolicy, type Reach } from '#policy';
import { systemEvent } from '../../services/collector/index.ts';
import type { Parts } from './loop.ts';

/** How a record that could not be folded is told: a hole, a fork, or a log that was changed. */
function faultCommand({ code }: Fault): string {
  if (code === 'SEQUENCE_GAP') return 'LOSS';
  return code === 'FORK' ? 'FORK' : 'LOG_TAMPER';
}

/** Says under the host's own principal what the fold had to leave out. */
export function reportFault({ collector, host, mode }: Parts, fault: Fault): void {
  const { code, why, offset, lane } = fault;
  collector.append(
    systemEvent({
      command: faultCommand(fault),
      principal: hostPrincipal(host),
      timeUs: Date.now() * 1000,
      mode,
      details: { found: why, code, offset, lane, declared: false },
    }),
  );
}

/** Says under the host's own principal what an operator's word came to. */
export function reportOverride(
  { collector, host, mode }: Parts,
  override: Override,
  refused: string | null,
) {
  const { verb, principal, author, reason, ticket, id, untilMs } = override;
  collector.append(
    systemEvent({
      command: 'OVERRIDE',
      principal: hostPrincipal(host),
      timeUs: Date.now() * 1000,
      mode,
      details: {
        verb,
        for_principal: principal,
        author,
        reason,
        id,
        ...(ticket !== null && { ticket }),
        ...(untilMs !== null && { until: new Date(untilMs).toISOString() }),
        effect: refused === null ? 'applied' : `refused: ${refused}`,
        latency_ms: Math.max(0, Date.now() - override.timeMs),
      },
    }),
  );
}

const POLICY_KEY = 'policy';

function stageOf(rollout: Reach | null): string {
  if (rollout === null) return 'none';
  return rollout.stage === 'canary' ? `canary ${rollout.percent}%` : rollout.stage;
}

/** Says that another policy, or another stage of it, is in force than when this last ran, once. */
export async function reportPolicy(parts: Parts, rollout: Reach | null): Promise<void> {
  const { store, collector, host, mode, policy } = parts;
  const hash = hashPolicy(policy);
  const stage = stageOf(rollout);
  const now = `${hash} ${stage}`;
  const stored = await store.get('host', 0, POLICY_KEY);
  const before = stored === null ? null : Buffer.from(stored).toString();
  if (before === now) return;
  const [old = 'none'] = before?.split(' ') ?? [];
  collector.append(
    systemEvent({
      command: 'POLICY',
      principal: hostPrincipal(host),
      timeUs: Date.now() * 1000,
      mode,
      details: { before: old, after: hash, policy_mode: policy.mode, stage },
    }),
  );
  const state = [{ space: 'host', lane: 0, key: POLICY_KEY, value: Buffer.from(now) }] as const;
  await store.commit({ outputs: [], state, position: [] });
}
