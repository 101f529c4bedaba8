/**
 * The messages between a gateway and a leaf, each a request and an answer.
 *
 * - `prepare` counts the rows that a filter and exclusions leave, looks up ids, and describes ids to explain
 * - `search` searches shards, each for its part of k; `scores` are canonical scores of rows
 * - `count` counts the rows that are left when a query also leaves out its own items and values
 * - `hydrate` gives ids, attributes and vectors of the rows of an answer
 * - `facts` and `ranks` are about items to explain
 *
 * Rows are named by their ordinals in the whole version, shards by their numbers in it. What is read is checked: a
 * FrameError or a FieldError says what is wrong.
 */

export const OPERATIONS = ['prepare', 'search', 'scores', 'count', 'hydrate', 'facts', 'ranks'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** Header of a request: what is left of its time, in milliseconds. */
export const TIME_LEFT_HEADER = 'x-time-left-ms';

export function operationPath(index: string, version: string, operation: Operation): string {
  return `/v1/fleet/${index}/${version}/${operation}`;
}
