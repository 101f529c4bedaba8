/** Random columns of every attribute type, and random filters over them whose literals lie on, beside and off the values. */
import type { ColumnType } from '../../../src/arrow/column.js';
import { float16ToNumber } from '../../../src/base/float32.js';
import type { Condition, Filter, Literal, Row } from './naive.js';
import type { Item, TestColumn, Value } from './stores.js';

type Random = () => number;

export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

export function pick<T>(random: Random, items: readonly T[]): T {
  return items[below(random, items.length)]!;
}

const UNITS = ['s', 'ms', 'us', 'ns'] as const;

/** Every type that an attribute can have. */
export const TYPES: readonly ColumnType[] = [
  { kind: 'bool' },
  ...([8, 16, 32, 64] as const).flatMap((bits): ColumnType[] => [
    { kind: 'int', bits, signed: true },
    { kind: 'int', bits, signed: false },
  ]),
  ...([16, 32, 64] as const).map((bits): ColumnType => ({ kind: 'float', bits })),
  { kind: 'utf8' },
  { kind: 'date', unit: 'day' },
  { kind: 'date', unit: 'ms' },
  ...UNITS.map((unit): ColumnType => ({ kind: 'timestamp', unit, timezone: null })),
  { kind: 'timestamp', unit: 'us', timezone: 'Asia/Tokyo' },
  { kind: 'list', item: { kind: 'utf8' }, size: null },
  { kind: 'list', item: { kind: 'int', bits: 8, signed: true }, size: null },
  { kind: 'list', item: { kind: 'int', bits: 64, signed: false }, size: null },
];

export function makeColumn(random: Random, name: string, type: ColumnType, rows: number): TestColumn {
  const nulls = pick(random, [0, 0.1, 0.8]);
  const spread = pick(random, [3, 40, 100_000]);
  const values = Array.from({ length: rows }, () => (random() < nulls ? null : makeValue(random, type, spread)));
  return { name, type, values };
}

const WORDS = ['', 'a', 'ab', 'red', 'Red', 'é', '日本', '😀', '\uffff', 'zebra', 'red wine', 'wine'];

/** @param spread how many different values there may be, about */
function makeValue(random: Random, type: ColumnType, spread: number): Value {
  switch (type.kind) {
    case 'bool':
      return random() < 0.5;
    case 'int':
      return makeInteger(random, type.bits, type.signed, spread);
    case 'float': {
      const special = [0, -0, Infinity, -Infinity, NaN, 19.99];
      const number = random() < 0.15 ? pick(random, special) : (below(random, spread) - spread / 2) / 8 + 0.1;
      return roundFloat(type.bits, number);
    }
    case 'utf8':
      return makeText(random, spread);
    case 'date':
      return type.unit === 'day'
        ? below(random, spread) - 2
        : BigInt(below(random, spread) - 2) * 86_400_000n + BigInt(pick(random, [0, 1, 86_399_999]));
    case 'timestamp':
      return BigInt(below(random, spread) - 2) * BigInt(pick(random, [1, 1000, type.unit === 's' ? 1e6 : 1e9]));
    case 'list':
      return Array.from({ length: below(random, 4) }, () =>
        random() < 0.1 ? null : (makeValue(random, type.item, Math.min(spread, 40)) as Item),
      );
    default:
      throw new Error(`no attribute is ${type.kind}`);
  }
}

function makeText(random: Random, spread: number): string {
  return random() < 0.7 ? pick(random, WORDS.slice(0, spread)) : `${pick(random, WORDS)}${below(random, spread)}`;
}

function makeInteger(random: Random, bits: 8 | 16 | 32 | 64, signed: boolean, spread: number): Value {
  const least = signed ? -(2n ** BigInt(bits - 1)) : 0n;
  const most = least + 2n ** BigInt(bits) - 1n;
  const middle = BigInt(below(random, spread)) - (signed ? BigInt(spread >> 1) : 0n);
  const wide = pick(random, [least, most, 2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n)]);
  const wanted = random() < 0.1 ? wide : middle;
  const value = wanted < least ? least : wanted > most ? most : wanted;
  return bits === 64 ? value : Number(value);
}

let halves: number[] | null = null;

/** The nearest value of the type. Float16 by looking at all of them; ties do not occur among the numbers made here. */
export function roundFloat(bits: 16 | 32 | 64, value: number): number {
  if (bits === 64 || !Number.isFinite(value) || value === 0) return value;
  if (bits === 32) return Math.fround(value);
  halves ??= Array.from({ length: 0x7c00 }, (_, half) => float16ToNumber(half));
  let low = 0;
  let high = halves.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (halves[middle]! <= Math.abs(value)) low = middle;
    else high = middle;
  }
  const nearest = Math.abs(value) - halves[low]! <= halves[high]! - Math.abs(value) ? halves[low]! : halves[high]!;
  return Math.sign(value) * nearest;
}

/** The row as literals see it: dates in days, timestamps in nanoseconds, NaN as null. */
export function rowOf(columns: readonly TestColumn[], ordinal: number): Row {
  return new Map(columns.map(({ name, type, values }) => [name, onScale(type, values[ordinal]!)]));
}

const NS = { s: 1_000_000_000n, ms: 1_000_000n, us: 1_000n, ns: 1n } as const;

function onScale(type: ColumnType, value: Value): Value {
  if (typeof value === 'number' && Number.isNaN(value)) return null;
  if (typeof value !== 'bigint') return value;
  if (type.kind === 'timestamp') return value * NS[type.unit];
  return type.kind === 'date' ? Math.floor(Number(value) / 86_400_000) : value;
}

export function makeFilter(random: Random, columns: readonly TestColumn[], depth: number): Filter {
  const kind = depth === 0 ? 'attributes' : pick(random, ['attributes', 'attributes', '$and', '$or', '$not'] as const);
  if (kind === '$not') return { kind, filter: makeFilter(random, columns, depth - 1) };
  if (kind === 'attributes') {
    const chosen = new Set(Array.from({ length: 1 + below(random, 3) }, () => pick(random, columns)));
    return {
      kind,
      members: [...chosen].map((column) => ({ name: column.name, conditions: makeConditions(random, column) })),
    };
  }
  return { kind, filters: Array.from({ length: 1 + below(random, 3) }, () => makeFilter(random, columns, depth - 1)) };
}

function makeConditions(random: Random, column: TestColumn): Condition[] {
  const count = random() < 0.7 ? 1 : 2;
  const made = Array.from({ length: count }, () => makeCondition(random, column));
  return [...new Map(made.map((condition) => [condition.operator, condition])).values()];
}

function makeCondition(random: Random, column: TestColumn): Condition {
  const { type } = column;
  const kind = pick(random, ['null', 'not', ...Array.from({ length: 8 }, () => 'value')]);
  if (kind === 'not') return { operator: '$not', condition: makeConditions(random, column) };
  if (kind === 'null') {
    if (random() < 0.5) return { operator: '$exists', wanted: random() < 0.5 };
    return { operator: pick(random, ['$eq', '$ne']), literal: null, bare: random() < 0.5 };
  }
  if (type.kind === 'list') return makeListCondition(random, type.item, column);
  const operators = type.kind === 'bool' ? EQUALITIES : type.kind === 'utf8' ? [...ALL, ...PARTS] : ALL;
  const operator = pick(random, operators);
  switch (operator) {
    case '$in':
    case '$nin':
      return {
        operator,
        literals: Array.from({ length: 1 + below(random, 4) }, () => makeLiteral(random, column, true)),
      };
    case '$eq':
    case '$ne':
      return { operator, literal: makeLiteral(random, column, true), bare: random() < 0.5 };
    case '$contains':
      return { operator, literal: partOf(random, textLiteral(random, column)) };
    case '$containsAny':
    case '$containsAll':
      return { operator, literals: some(random, () => partOf(random, textLiteral(random, column))) };
    default:
      return { operator, literal: makeLiteral(random, column, false) };
  }
}

function makeListCondition(random: Random, type: ColumnType, { name, values }: TestColumn): Condition {
  const items: TestColumn = { name, type, values: values.flat().filter((item) => item !== null) };
  const one = () => (type.kind === 'utf8' ? textLiteral(random, items) : makeLiteral(random, items, true));
  const operator = pick(random, PARTS);
  return operator === '$contains' ? { operator, literal: one() } : { operator, literals: some(random, one) };
}

function some<T>(random: Random, make: () => T): T[] {
  return Array.from({ length: 1 + below(random, 4) }, make);
}

const PARTS = ['$contains', '$containsAny', '$containsAll'] as const;
const EQUALITIES = ['$eq', '$ne', '$in', '$nin'] as const;
const ALL = [...EQUALITIES, '$gt', '$gte', '$lt', '$lte'] as const;

function textLiteral(random: Random, { values }: TestColumn): Literal {
  const texts = values.flat().filter((value) => typeof value === 'string');
  const text = texts.length > 0 && random() < 0.8 ? pick(random, texts) : pick(random, [...WORDS, 'absent']);
  return { json: text, value: text };
}

function partOf(random: Random, { json }: Literal): Literal {
  const characters = Array.from(json as string);
  const start = below(random, characters.length + 1);
  const part = characters.slice(start, start + 1 + below(random, 3)).join('');
  return { json: part, value: part };
}

/** @param exact for equality: a value that the column could hold */
function makeLiteral(random: Random, column: TestColumn, exact: boolean): Literal {
  const { type, values } = column;
  const held = values.filter((value) => value !== null && !Number.isNaN(value));
  const value = held.length > 0 && random() < 0.8 ? pick(random, held) : makeValue(random, type, 1000);
  switch (type.kind) {
    case 'bool':
      return { json: value, value: value as boolean };
    case 'int':
      return integerLiteral(random, type.bits, BigInt(value as number), exact);
    case 'float':
      return floatLiteral(random, type.bits, value as number);
    case 'utf8':
      return { json: value, value: value as string };
    case 'date': {
      const days = onScale(type, value) as number;
      return { json: new Date(days * 86_400_000).toISOString().slice(0, 10), value: days };
    }
    default:
      return timeLiteral(random, type as ColumnType & { kind: 'timestamp' }, value as bigint, exact);
  }
}

function integerLiteral(random: Random, bits: number, value: bigint, exact: boolean): Literal {
  // Beyond every column: a bound is no limit then, and a value is never there.
  if (random() < 0.1) {
    const beyond = pick(random, [2n ** 65n, -(2n ** 65n)]);
    return { json: bits === 64 && random() < 0.5 ? String(beyond) : Number(beyond), value: beyond };
  }
  const isSafe = value >= -(2n ** 53n) + 1n && value <= 2n ** 53n - 1n;
  if (!isSafe) return bits === 64 ? { json: String(value), value } : { json: 0, value: 0 };
  if (!exact && random() < 0.3 && value < 2n ** 40n && value > -(2n ** 40n)) {
    return { json: Number(value) + 0.5, value: Number(value) + 0.5 };
  }
  return { json: bits === 64 && random() < 0.5 ? String(value) : Number(value), value };
}

/** The shortest decimal that rounds to the value where there is one: 19.99 for the float32 beside it. */
function floatLiteral(random: Random, bits: 16 | 32 | 64, value: number): Literal {
  if (Number.isNaN(value)) return { json: 0.5, value: 0.5 };
  if (!Number.isFinite(value)) return { json: value > 0 ? 'Infinity' : '-Infinity', value };
  const finite = bits !== 64 && random() < 0.1 ? pick(random, [1e39, -1e39]) : value;
  if (finite !== value) return { json: finite, value: finite };
  const written = random() < 0.5 ? finite : Number(finite.toPrecision(bits === 16 ? 4 : 7));
  const rounded = roundFloat(bits, written);
  return { json: written, value: rounded };
}

function timeLiteral(random: Random, type: ColumnType & { kind: 'timestamp' }, count: bigint, exact: boolean): Literal {
  const ns = count * NS[type.unit] + (exact || type.unit === 'ns' || random() < 0.6 ? 0n : NS[type.unit] / 2n);
  const seconds = (ns - (((ns % NS.s) + NS.s) % NS.s)) / NS.s;
  const fraction = String(ns - seconds * NS.s).padStart(9, '0');
  const offset = pick(random, ['Z', '', '+05:30', '-08:00']);
  const shift = offset === '+05:30' ? 19_800 : offset === '-08:00' ? -28_800 : 0;
  const clock = new Date((Number(seconds) + shift) * 1000).toISOString().slice(0, -5);
  const digits = fraction === '000000000' ? '' : `.${fraction.replace(/0+$/, '')}`;
  return { json: `${clock}${digits}${offset}`, value: ns };
}
