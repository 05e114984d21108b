/** Where a lane of a host stands; `schemas/checkpoint.avsc`. */
export interface LaneHead {
  readonly lane: number;
  readonly sequence: number;
  readonly hash: Uint8Array;
}

/** Heads of a host's lanes that the brokers have acknowledged; `schemas/checkpoint.avsc`. */
export interface Checkpoint {
  readonly host: string;
  readonly incarnation: string;
  readonly madeMs: number;
  readonly clean: boolean;
  readonly heads: readonly LaneHead[];
  readonly signature: Uint8Array;
}

/** What a host says of itself; `schemas/heartbeat.avsc`. */
export interface Heartbeat {
  readonly host: string;
  readonly incarnation: string;
  readonly bootId: string;
  readonly madeMs: number;
  readonly state: 'running' | 'stopped';
  readonly mode: string;
  readonly capabilities: readonly string[];
  readonly version: string;
  readonly policy: string;
  readonly revision: number;
  readonly lag: number;
  readonly lost: readonly { readonly ring: string; readonly count: number }[];
  readonly signature: Uint8Array;
}
