/**
 * What was set lately: at least the last `count` entries, at most twice as many. Two maps in turn,
 * since to forget one entry at a time costs more than to keep some of them longer.
 */
export class Recent<V> {
  private readonly count: number;
  private young = new Map<string, V>();
  private old = new Map<string, V>();

  constructor(count: number) {
    this.count = count;
  }

  get(key: string): V | undefined {
    return this.young.get(key) ?? this.old.get(key);
  }

  set(key: string, value: V): void {
    if (this.young.size >= this.count && !this.young.has(key)) {
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(key, value);
  }

  clear(): void {
    this.young.clear();
    this.old.clear();
  }
}
