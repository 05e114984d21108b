import type { Control, Lane } from '#event';
import { hashPolicy, modelOf, parseCanonical } from '#policy';
import type { StateChange, Store } from '#state';
import { defaultModel, type Model } from '#trust';

const POLICY = 'policy';
/** Ids of policy records that a lane remembers, so that one read twice changes nothing. */
const POLICIES_MAX = 32;

/** The policy that acts in a lane, and the control records that brought it and those before. */
export interface LanePolicy {
  readonly hash: string;
  /** Canonical JSON. */
  readonly policy: string;
  readonly applied: readonly string[];
}

/** A `control` value. */
export function parseLanePolicy(bytes: Uint8Array): LanePolicy {
  const { policy, applied } = JSON.parse(Buffer.from(bytes).toString());
  return { hash: hashPolicy(parseCanonical(policy)), policy, applied };
}

/** Which policy acts in which lane: as stored, then as control records change it. */
export class LanePolicies {
  private readonly state: Pick<Store, 'get'>;
  private readonly models = new Map<string, Model>();
  private readonly lanes = new Map<Lane, LanePolicy | null>();
  /** What the batch that is folded has changed: nobody's until it is committed. */
  private readonly changed = new Map<Lane, LanePolicy>();

  constructor(state: Pick<Store, 'get'>) {
    this.state = state;
  }

  async load(lane: Lane): Promise<LanePolicy | null> {
    const known = this.lanes.get(lane);
    if (known !== undefined) return known;
    const stored = await this.state.get('control', lane, POLICY);
    const entry = stored === null ? null : parseLanePolicy(stored);
    this.lanes.set(lane, entry);
    return entry;
  }

  /** A batch is folded, or folded again: what one before it changed was never committed. */
  begin(): void {
    this.changed.clear();
  }

  /** What the batch changed is what the store has. */
  committed(): void {
    for (const [lane, entry] of this.changed) this.lanes.set(lane, entry);
    this.changed.clear();
  }

  private current(lane: Lane): LanePolicy | null {
    return this.changed.get(lane) ?? this.lanes.get(lane) ?? null;
  }

  /** The model that acts in a loaded lane: its policy's, or the built-in one before any policy. */
  model(lane: Lane): Model {
    const entry = this.current(lane);
    if (entry === null) return defaultModel;
    const known = this.models.get(entry.hash);
    if (known !== undefined) return known;
    const model = modelOf(parseCanonical(entry.policy));
    this.models.set(entry.hash, model);
    return model;
  }

  /** From this record on the lane has another policy. Null when the record was applied before. */
  change(lane: Lane, { id, policy: text, policyHash }: Control): StateChange | null {
    const entry = this.current(lane);
    if (entry?.applied.includes(id)) return null;
    const policy = text ?? '';
    const applied = [...(entry?.applied ?? []), id].slice(-POLICIES_MAX);
    this.changed.set(lane, { hash: policyHash ?? '', policy, applied });
    const value = Buffer.from(JSON.stringify({ policy, applied }));
    return { space: 'control', lane, key: POLICY, value };
  }
}
