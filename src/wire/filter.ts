/** A filter as JSON. Which operators an attribute supports depends on its type. */

type FilterLiteral = string | number | boolean | null;

/** Operators on one attribute, joined by and. */
interface FilterCondition {
  readonly $eq?: FilterLiteral | undefined;
  /** Does not pass null. */
  readonly $ne?: FilterLiteral | undefined;
  readonly $in?: readonly FilterLiteral[] | undefined;
  /** Does not pass null. */
  readonly $nin?: readonly FilterLiteral[] | undefined;
  readonly $gt?: string | number | undefined;
  readonly $gte?: string | number | undefined;
  readonly $lt?: string | number | undefined;
  readonly $lte?: string | number | undefined;
  readonly $exists?: boolean | undefined;
  /** An item of a list, or a substring of a text. */
  readonly $contains?: string | number | undefined;
  readonly $containsAny?: readonly (string | number)[] | undefined;
  readonly $containsAll?: readonly (string | number)[] | undefined;
  readonly $not?: FilterCondition | undefined;
}

/** Conditions by attribute, or by `id`, joined by and: `{ category: 'jewelry', price: { $gte: 10, $lt: 50 } }`. */
export interface Filter {
  readonly $and?: readonly Filter[] | undefined;
  readonly $or?: readonly Filter[] | undefined;
  readonly $not?: Filter | undefined;
  readonly [attribute: string]: FilterLiteral | FilterCondition | Filter | readonly Filter[] | undefined;
}
