import { EventError } from './errors.ts';

/**
 * Walks Avro bytes along their schema before avsc may decode them. avsc trusts counts and lengths:
 * a few hostile bytes can claim 2^60 items. Here each is checked against what is left.
 */
export type Schema =
  | string
  | readonly Schema[]
  | {
      readonly type: string;
      readonly name?: string;
      readonly size?: number;
      readonly items?: Schema;
      readonly symbols?: readonly string[];
      readonly fields?: readonly { readonly name: string; readonly type: Schema }[];
    };

const MAX_ITEMS = 4096;
const MAX_DEPTH = 16;

export class Walker {
  private readonly named = new Map<string, Schema>();
  private readonly bytes: Uint8Array;
  private at: number;

  constructor(bytes: Uint8Array, start: number) {
    this.bytes = bytes;
    this.at = start;
  }

  /** Position after the value of `schema`. Throws `EventError` TRUNCATED, OVER_LIMIT, BAD_VALUE. */
  walk(schema: Schema, depth = 0): number {
    if (depth > MAX_DEPTH) throw new EventError('OVER_LIMIT', `nesting above ${MAX_DEPTH}`);
    if (typeof schema === 'string') this.primitive(schema, depth);
    else if (Array.isArray(schema)) this.union(schema, depth);
    else this.complex(schema as Exclude<Schema, string | readonly Schema[]>, depth);
    return this.at;
  }

  private primitive(type: string, depth: number): void {
    const named = this.named.get(type);
    if (named !== undefined) this.walk(named, depth + 1);
    else if (type === 'long' || type === 'int') this.long();
    // Only the length has a bound: what the bytes mean is not looked at here.
    else if (type === 'string' || type === 'bytes') this.advance(this.long());
    else if (type === 'boolean') this.boolean();
    else if (type !== 'null') throw new EventError('BAD_VALUE', `schema type ${type}`);
  }

  private union(branches: readonly Schema[], depth: number): void {
    const branch = branches[this.long()];
    if (branch === undefined) throw new EventError('BAD_VALUE', 'union branch');
    this.walk(branch, depth + 1);
  }

  private complex(schema: Exclude<Schema, string | readonly Schema[]>, depth: number): void {
    if (schema.name !== undefined) this.named.set(schema.name, schema);
    if (schema.type === 'record') {
      for (const field of schema.fields ?? []) this.walk(field.type, depth + 1);
      // Any bytes of that length will do.
    } else if (schema.type === 'fixed') this.advance(schema.size ?? 0);
    else if (schema.type === 'enum') this.enumIndex(schema.symbols ?? []);
    else if (schema.type === 'array') this.array(schema.items as Schema, depth);
    else this.primitive(schema.type, depth);
  }

  private enumIndex(symbols: readonly string[]): void {
    if (symbols[this.long()] === undefined) throw new EventError('BAD_VALUE', 'enum index');
  }

  private array(items: Schema, depth: number): void {
    let total = 0;
    for (let count = this.long(); count !== 0; count = this.long()) {
      // avsc writes no blocks with a byte size (negative count), so nothing honest has one.
      if (count < 0) throw new EventError('BAD_VALUE', 'negative block count');
      total += count;
      if (total > MAX_ITEMS) throw new EventError('OVER_LIMIT', `more than ${MAX_ITEMS} items`);
      for (let item = 0; item < count; item++) this.walk(items, depth + 1);
    }
  }

  private boolean(): void {
    // Over the byte, once it is known to be there; what it may be comes next.
    this.advance(1);
    if ((this.bytes[this.at - 1] as number) > 1) throw new EventError('BAD_VALUE', 'boolean');
  }

  private advance(length: number): void {
    if (length < 0) throw new EventError('BAD_VALUE', 'negative length');
    if (length > this.bytes.length - this.at) throw new EventError('TRUNCATED', `at ${this.at}`);
    this.at += length;
  }

  /** A zig-zag varint as a safe integer. */
  private long(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 9; i++) {
      const byte = this.bytes[this.at];
      if (byte === undefined) throw new EventError('TRUNCATED', `at ${this.at}`);
      this.at += 1;
      value += (byte & 0x7f) * scale;
      if (value > 2 * Number.MAX_SAFE_INTEGER) break;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      scale *= 128;
    }
    throw new EventError('OVER_LIMIT', `integer above 2^53 at ${this.at}`);
  }
}
