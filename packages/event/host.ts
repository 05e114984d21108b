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
  /** 1, 2, 3 ... over the life of the host's local log: none is left out. */
  readonly number: number;
  readonly previousMs: number;
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
  /** Number of the last checkpoint that the brokers acknowledged; 0: none. */
  readonly checkpoint: number;
  readonly lost: readonly { readonly ring: string; readonly count: number }[];
  readonly signature: Uint8Array;
}
