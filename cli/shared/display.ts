import { readFileSync } from 'node:fs';
import type { Display } from '#event';

const MAX_NAMES = 100_000;

/**
 * Shows `uid:10001@corp` by the name that this machine has for the uid, where it has one. Names are
 * for people only: everything stored carries the key.
 */
export function displayNames(): Display {
  const names = new Map<string, string>();
  for (const entry of passwd().split('\n').slice(0, MAX_NAMES)) {
    const [name, , uid] = entry.split(':');
    if (name && uid && !names.has(uid)) names.set(uid, name);
  }
  return (principal) => {
    const uid = /^uid:(\d+)@/.exec(principal)?.[1];
    return (uid !== undefined && names.get(uid)) || principal;
  };
}

/** The uid of a user of this machine; null for a name that nobody has. */
export function uidOf(name: string): number | null {
  for (const entry of passwd().split('\n').slice(0, MAX_NAMES)) {
    const [user, , uid] = entry.split(':');
    if (user === name && uid) return Number(uid);
  }
  return null;
}

function passwd(): string {
  try {
    return readFileSync('/etc/passwd', 'utf8');
  } catch {
    // Without names the keys are shown.
    return '';
  }
}
