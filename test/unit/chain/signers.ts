import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { signRecord } from '#chain';
import type { Checkpoint, Heartbeat } from '#event';

/** A host's key pair from a byte, so that every run has the same. */
function keyOf(byte: number): KeyObject {
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
  const key = Buffer.concat([prefix, Buffer.alloc(32, byte)]);
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}

export const KEYS: Readonly<Record<string, KeyObject>> = { 'web-1': keyOf(1), 'web-2': keyOf(2) };
export const NOW_MS = 1_790_000_000_000;
export const INCARNATION = '00112233445566aa';

export const SIGNERS = {
  hosts: () => Object.keys(KEYS),
  signersOf: (host: string) => {
    const key = KEYS[host];
    return key === undefined ? [] : [createPublicKey(key)];
  },
};

const hashOf = (sequence: number) => Buffer.alloc(32, sequence);

/** A checkpoint of lanes and their sequences, with a hash that follows from the sequence. */
export function checkpoint(
  lanes: Readonly<Record<number, number>>,
  more: Partial<Checkpoint> = {},
): Omit<Checkpoint, 'signature'> {
  const heads = Object.entries(lanes).map(([lane, sequence]) => {
    return { lane: Number(lane), sequence, hash: hashOf(sequence) };
  });
  const plain = { host: 'web-1', incarnation: INCARNATION, madeMs: NOW_MS, number: 1 };
  return { ...plain, previousMs: 0, heads, ...more };
}

export function heartbeat(more: Partial<Heartbeat> = {}): Omit<Heartbeat, 'signature'> {
  return {
    host: 'web-1',
    incarnation: INCARNATION,
    bootId: 'boot',
    madeMs: NOW_MS,
    state: 'running',
    mode: 'lsm',
    capabilities: ['bpf'],
    version: '1.0.0',
    policy: 'ab',
    revision: 7,
    lag: 0,
    checkpoint: 0,
    lost: [{ ring: 'bulk', count: 2 }],
    ...more,
  };
}

/** A record of a topic, signed by its host unless another is named. */
export function stored<N extends 'Checkpoint' | 'Heartbeat'>(
  name: N,
  record: Parameters<typeof signRecord<N>>[1],
  { by = record.host, appendedMs = record.madeMs }: { by?: string; appendedMs?: number } = {},
) {
  const value = signRecord(name, record, KEYS[by] as KeyObject);
  return { offset: 0, key: record.host, value, appendedMs };
}
