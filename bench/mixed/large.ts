/** The requests of the large callers. */
export type Body = Readonly<Record<string, unknown>>;

/** By name. @param id of an item of the index */
export const LARGE: Readonly<Record<string, (id: () => string) => Body>> = {
  'batches of 1,024': (id) => ({ ids: Array.from({ length: 1_024 }, id), k: 100 }),
  'k 10,000': (id) => ({ id: id(), k: 10_000 }),
  'ef 10,000': (id) => ({ id: id(), k: 100, ef: 10_000 }),
  'batches of k 10,000': (id) => ({ ids: Array.from({ length: 100 }, id), k: 10_000 }),
  'exact batches': (id) => ({ ids: Array.from({ length: 32 }, id), k: 100, exact: true }),
  'answers of 40 MiB': (id) => ({ id: id(), k: 5_000, include: { vectors: true } }),
  'filters of many clauses': (id) => ({ id: id(), k: 100, filter: { $or: Array.from({ length: 120 }, (_, i) => ({ lot: { $gte: i + Math.random(), $lt: i + 1 } })) } }),
  'lists of 5,000': (id) => ({ id: id(), k: 100, filter: { lot: { $in: Array.from({ length: 5_000 }, () => Math.floor(1e6 * Math.random())) } } }),
  why_not: (id) => ({ id: id(), k: 10, why_not: Array.from({ length: 20 }, id) }),
  seeds: (id) => ({ seeds: Array.from({ length: 64 }, () => ({ id: id() })), k: 1_000 }),
  crowding: (id) => ({ id: id(), k: 1_000, crowding: { attribute: 'side', limit: 3 } }),
}; // prettier-ignore
