/**
 * Reads the members of a JSON object and checks each. Takes `unknown`; returns typed values; throws a FieldError that
 * names the member by its path (`shards[2].count`).
 */

export class FieldError extends Error {
  constructor(
    readonly field: string,
    problem: string,
  ) {
    super(`${field} ${problem}`);
  }
}

export class Fields {
  private readonly members: Readonly<Record<string, unknown>>;
  private readonly at: string;

  /** @param at path of the object itself, empty for the whole document */
  constructor(value: unknown, at = '') {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new FieldError(at === '' ? 'the document' : at, 'is not an object');
    }
    this.members = value as Record<string, unknown>;
    this.at = at;
  }

  path(name: string): string {
    return this.at === '' ? name : `${this.at}.${name}`;
  }

  fail(name: string, problem: string): never {
    throw new FieldError(this.path(name), problem);
  }

  names(): string[] {
    return Object.keys(this.members);
  }

  /** All members, unchecked. */
  all(): Readonly<Record<string, unknown>> {
    return this.members;
  }

  raw(name: string): unknown {
    if (!Object.hasOwn(this.members, name)) this.fail(name, 'is missing');
    return this.members[name];
  }

  text(name: string, pattern?: RegExp): string {
    const value = this.raw(name);
    if (typeof value !== 'string') return this.fail(name, 'is not a string');
    if (pattern !== undefined && !pattern.test(value)) return this.fail(name, `is not of the form ${pattern.source}`);
    return value;
  }

  textOrNull(name: string): string | null {
    return this.raw(name) === null ? null : this.text(name);
  }

  /** For members that later releases added: older documents lack them. */
  textIfPresent(name: string): string | null {
    return Object.hasOwn(this.members, name) ? this.textOrNull(name) : null;
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T {
    const value = this.raw(name);
    return values.find((known) => known === value) ?? this.fail(name, `is not one of ${values.join(', ')}`);
  }

  flag(name: string): boolean {
    const value = this.raw(name);
    return typeof value === 'boolean' ? value : this.fail(name, 'is not true or false');
  }

  /** A whole number from `min` to `max`. */
  integer(name: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.raw(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
      return this.fail(name, `is not a whole number from ${min} to ${max}`);
    }
    return value;
  }

  number(name: string): number {
    const value = this.raw(name);
    return typeof value === 'number' ? value : this.fail(name, 'is not a number');
  }

  /** An instant as Date.toISOString prints it. */
  instant(name: string): string {
    const value = this.text(name);
    const time = Date.parse(value);
    return !Number.isNaN(time) && new Date(time).toISOString() === value ? value : this.fail(name, 'is not a time');
  }

  object(name: string): Fields {
    return new Fields(this.raw(name), this.path(name));
  }

  /** The member, unchanged, if it is an object. */
  record(name: string): Readonly<Record<string, unknown>> {
    return this.object(name).all();
  }

  /** An object whose members are all whole numbers from 0 (`counts`) or all numbers. */
  numbers(name: string, what: 'counts' | 'numbers'): Readonly<Record<string, number>> {
    const inner = this.object(name);
    return Object.fromEntries(
      inner.names().map((key) => [key, what === 'counts' ? inner.integer(key) : inner.number(key)]),
    );
  }

  list<T>(name: string, each: (item: Fields) => T): T[] {
    return this.array(name).map((item, position) => each(new Fields(item, `${this.path(name)}[${position}]`)));
  }

  texts(name: string): string[] {
    return this.array(name).map((item, position) =>
      typeof item === 'string' ? item : this.fail(`${name}[${position}]`, 'is not a string'),
    );
  }

  /** Whole numbers from `min` to `max`. */
  integers(name: string, min = 0, max = Number.MAX_SAFE_INTEGER): number[] {
    return this.array(name).map((item, position) =>
      typeof item === 'number' && Number.isSafeInteger(item) && item >= min && item <= max
        ? item
        : this.fail(`${name}[${position}]`, `is not a whole number from ${min} to ${max}`),
    );
  }

  private array(name: string): unknown[] {
    const value = this.raw(name);
    return Array.isArray(value) ? value : this.fail(name, 'is not a list');
  }
}
