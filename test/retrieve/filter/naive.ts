/**
 * What filters mean, from the contract's words alone, one row at a time and as slow as it likes. A filter here is the
 * JSON's meaning before it is written as JSON; `jsonOf` writes it. Shares no code with what it checks.
 */
import type { Value } from './stores.js';

/** A literal as JSON has it, and as its column does. */
export interface Literal {
  readonly json: unknown;
  readonly value: Scalar;
}

/** Dates and timestamps in nanoseconds or days, counts as they are: whatever compares with `<` against a row's value. */
export type Scalar = boolean | number | bigint | string;

export type Condition =
  | { readonly operator: '$eq' | '$ne'; readonly literal: Literal | null; readonly bare?: boolean }
  | { readonly operator: '$gt' | '$gte' | '$lt' | '$lte' | '$contains'; readonly literal: Literal }
  | { readonly operator: '$in' | '$nin' | '$containsAny' | '$containsAll'; readonly literals: readonly Literal[] }
  | { readonly operator: '$exists'; readonly wanted: boolean }
  | { readonly operator: '$not'; readonly condition: readonly Condition[] };

export type Filter =
  | { readonly kind: 'attributes'; readonly members: readonly { readonly name: string; readonly conditions: readonly Condition[] }[] }
  | { readonly kind: '$and' | '$or'; readonly filters: readonly Filter[] }
  | { readonly kind: '$not'; readonly filter: Filter }; // prettier-ignore

/** A row's value on the scale of its literals; null for null and NaN. */
export type Row = ReadonlyMap<string, Value>;

export function matches(filter: Filter, row: Row): boolean {
  switch (filter.kind) {
    case 'attributes':
      return filter.members.every(({ name, conditions }) => meetsAll(conditions, row.get(name)!));
    case '$and':
      return filter.filters.every((part) => matches(part, row));
    case '$or':
      return filter.filters.some((part) => matches(part, row));
    case '$not':
      return !matches(filter.filter, row);
  }
}

function meetsAll(conditions: readonly Condition[], value: Value): boolean {
  return conditions.every((condition) => meets(condition, value));
}

function meets(condition: Condition, value: Value): boolean {
  const { operator } = condition;
  if (operator === '$not') return !meetsAll(condition.condition, value);
  if (operator === '$exists') return (value !== null) === condition.wanted;
  if (operator === '$eq' && condition.literal === null) return value === null;
  if (value === null) return false;
  switch (operator) {
    case '$eq':
      return equal(value, condition.literal!);
    case '$ne':
      return condition.literal === null || !equal(value, condition.literal);
    case '$in':
      return condition.literals.some((literal) => equal(value, literal));
    case '$nin':
      return !condition.literals.some((literal) => equal(value, literal));
    case '$gt':
      return order(value, condition.literal) > 0;
    case '$gte':
      return order(value, condition.literal) >= 0;
    case '$lt':
      return order(value, condition.literal) < 0;
    case '$lte':
      return order(value, condition.literal) <= 0;
    case '$contains':
      return holds(value, condition.literal);
    case '$containsAny':
      return condition.literals.some((literal) => holds(value, literal));
    case '$containsAll':
      return condition.literals.every((literal) => holds(value, literal));
  }
}

/** A part of a text, or an item of a list. */
function holds(value: Value, literal: Literal): boolean {
  if (typeof value === 'string') return value.includes(literal.value as string);
  return (value as readonly Value[]).some((item) => item !== null && equal(item, literal));
}

function equal(value: Value, literal: Literal): boolean {
  return order(value, literal) === 0;
}

/** Numbers and bigints compare exactly across types in JavaScript; texts compare by their UTF-8 bytes. */
function order(value: Value, { value: literal }: Literal): number {
  if (typeof value === 'string') return Buffer.compare(Buffer.from(value), Buffer.from(literal as string));
  const [a, b] = [value as number, literal as number];
  return a < b ? -1 : a > b ? 1 : 0;
}

export function jsonOf(filter: Filter): Record<string, unknown> {
  switch (filter.kind) {
    case 'attributes':
      return Object.fromEntries(filter.members.map(({ name, conditions }) => [name, jsonOfConditions(conditions)]));
    case '$and':
    case '$or':
      return { [filter.kind]: filter.filters.map(jsonOf) };
    case '$not':
      return { $not: jsonOf(filter.filter) };
  }
}

function jsonOfConditions(conditions: readonly Condition[]): unknown {
  const [only] = conditions;
  if (conditions.length === 1 && only!.operator === '$eq' && only!.bare === true) return jsonOfCondition(only!);
  return Object.fromEntries(conditions.map((condition) => [condition.operator, jsonOfCondition(condition)]));
}

function jsonOfCondition(condition: Condition): unknown {
  if (condition.operator === '$not') return jsonOfConditions(condition.condition);
  if (condition.operator === '$exists') return condition.wanted;
  if ('literals' in condition) return condition.literals.map(({ json }) => json);
  return condition.literal === null ? null : condition.literal.json;
}
