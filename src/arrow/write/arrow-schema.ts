/** The schema of what is written. */
import type { ArrowField } from '../column.js';

export interface ArrowSchema {
  readonly fields: readonly Pick<ArrowField, 'name' | 'type' | 'nullable'>[];
  /** Key-value pairs of the schema, for whoever reads the file. */
  readonly metadata?: ReadonlyMap<string, string>;
}
