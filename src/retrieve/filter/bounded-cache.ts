/**
 * A least recently used cache with a limit in bytes.
 *
 * By hand: lru-cache reads a limit of 0 bytes as no limit; here 0 must keep nothing.
 */

export class BoundedCache<T> {
  private readonly entries = new Map<string, { readonly value: T; readonly bytes: number }>();
  /** Bytes of all entries, keys included. */
  usedBytes = 0;

  constructor(private readonly limit: number) {}

  /** Does not count as a use. */
  has(key: string): boolean {
    return this.entries.has(key);
  }

  get(key: string): T | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    this.entries.delete(key);
    this.entries.set(key, entry); // a Map keeps insertion order, so the first key is the least recently used
    return entry.value;
  }

  /** Stores the value, unless it alone exceeds the limit. */
  set(key: string, value: T, valueBytes: number): void {
    this.delete(key);
    const bytes = valueBytes + 2 * key.length;
    if (bytes > this.limit) return;
    this.entries.set(key, { value, bytes });
    this.usedBytes += bytes;
    for (const oldest of this.entries.keys()) {
      if (this.usedBytes <= this.limit) return;
      this.delete(oldest);
    }
  }

  private delete(key: string): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.entries.delete(key);
    this.usedBytes -= entry.bytes;
  }
}
