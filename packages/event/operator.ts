import type { PrincipalKey } from './ids.ts';

/** What an operator may say of a principal; `schemas/override.avsc`. */
export const OVERRIDE_VERBS = [
  'pardon',
  'pin',
  'break_glass',
  'observe',
  'adjust',
  'label',
  'lift',
  'approve',
] as const;
export type OverrideVerb = (typeof OVERRIDE_VERBS)[number];

export interface Override {
  readonly id: string;
  readonly verb: OverrideVerb;
  readonly principal: PrincipalKey;
  readonly author: string;
  readonly reason: string;
  readonly ticket: string | null;
  readonly timeMs: number;
  readonly untilMs: number | null;
  readonly signals: readonly string[];
  readonly tier: string | null;
  readonly incident: boolean;
  readonly now: boolean;
  readonly permille: number | null;
  readonly hosts: readonly string[];
  readonly commands: readonly string[];
  readonly fromMs: number | null;
  readonly toMs: number | null;
  readonly label: string | null;
  readonly lifts: string | null;
  readonly mac: Uint8Array;
}

/** Risk reported by another system; `schemas/external.avsc`. */
export interface External {
  readonly id: string;
  readonly source: string;
  readonly principal: PrincipalKey;
  readonly permille: number;
  readonly reason: string;
  readonly timeMs: number;
  readonly mac: Uint8Array;
}

export const STAGES = ['observe', 'canary', 'enforce'] as const;
export type Stage = (typeof STAGES)[number];

/** A policy and how far it is rolled out; `schemas/rollout.avsc`. */
export interface Rollout {
  readonly policyHash: string;
  readonly policy: string;
  readonly stage: Stage;
  readonly percent: number;
  readonly author: string;
  readonly reason: string;
  readonly ticket: string | null;
  readonly timeMs: number;
  readonly previous: string | null;
  readonly operator: string | null;
  readonly signature: Uint8Array | null;
}
