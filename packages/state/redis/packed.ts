import { storedKey } from '#log';
import type { StateChange } from '../port.ts';
import { fieldOf } from './keys.ts';
import { MAC_BYTES, sealInto } from './sealed.ts';

/**
 * The changes of a lane as one argument of one script. An argument each costs the client more than
 * to compute the MAC of what is in it (docs/internals/cost.md). An item: what to do (u8), length
 * (u32) and bytes of a field or member, and for SET length and bytes of its value. Big-endian.
 */
export const ITEMS = { set: 1, remove: 2, addTimer: 3, removeTimer: 4 } as const;

/** Takes `packed` apart in Redis. KEYS: hash, timers. */
export const UNPACK = `
local function apply(packed)
  local at = 1
  while at <= #packed do
    local what, name, value
    what, name, at = struct.unpack('>BI4c0', packed, at)
    if what == ${ITEMS.set} then
      value, at = struct.unpack('>I4c0', packed, at)
      redis.call('HSET', KEYS[1], name, value)
    elseif what == ${ITEMS.remove} then redis.call('HDEL', KEYS[1], name)
    elseif what == ${ITEMS.addTimer} then redis.call('ZADD', KEYS[2], 0, name)
    else redis.call('ZREM', KEYS[2], name) end
  end
end
`;

interface Item {
  readonly what: number;
  readonly name: string;
  readonly value: Uint8Array | null;
}

const HEAD_BYTES = 5;
const LENGTH_BYTES = 4;

/** Items are applied one after another: of several changes to an entry only the last one counts. */
function itemsOf(given: readonly StateChange[]): Item[] {
  const last = new Map(given.map((change) => [`${change.space}/${change.key}`, change]));
  const items: Item[] = [];
  for (const { space, key, value } of last.values()) {
    const name = fieldOf(space, key);
    if (space === 'due') {
      const what = value === null ? ITEMS.removeTimer : ITEMS.addTimer;
      items.push({ what, name: storedKey(key), value: null });
    }
    // A timer is its key; only one that carries a value needs a field as well.
    if (value === null) items.push({ what: ITEMS.remove, name, value });
    else if (space !== 'due' || value.length > 0) items.push({ what: ITEMS.set, name, value });
  }
  return items;
}

function sizeOf({ name, value }: Item): number {
  const own = HEAD_BYTES + Buffer.byteLength(name);
  return value === null ? own : own + LENGTH_BYTES + MAC_BYTES + value.length;
}

/** The argument for `UNPACK`, each value with its MAC. */
export function pack(key: Uint8Array, lane: number, changes: readonly StateChange[]): Buffer {
  const items = itemsOf(changes);
  const packed = Buffer.allocUnsafe(items.reduce((sum, item) => sum + sizeOf(item), 0));
  let at = 0;
  for (const { what, name, value } of items) {
    const length = packed.write(name, at + HEAD_BYTES);
    packed.writeUInt8(what, at);
    packed.writeUInt32BE(length, at + 1);
    at += HEAD_BYTES + length;
    if (value === null) continue;
    at = packed.writeUInt32BE(MAC_BYTES + value.length, at);
    at = sealInto(packed, at, { key, place: `${lane}/${name}`, value });
  }
  return packed;
}
