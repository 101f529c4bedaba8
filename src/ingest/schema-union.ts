/**
 * The columns that several files have between them.
 *
 * Takes the schema of one file after the other; gives each column with every type that it has and a file for each,
 * whatever the order of the files. Kept as small as the schemas differ, however many files there are.
 */
import type { ArrowField } from '../arrow/column.js';

/** One type of a column. */
export interface ColumnVariant {
  readonly field: ArrowField;
  /** The first file that has it, and how many have. */
  readonly file: string;
  readonly files: number;
}

export interface UnionColumn {
  readonly name: string;
  /** At least one, sorted by label. */
  readonly variants: readonly ColumnVariant[];
  /** How many files have the column, and the first that has not. */
  readonly files: number;
  readonly lackedBy: string | null;
  /** How many files have several columns of the name, and the first of them. */
  readonly repeats: number;
  readonly repeatedBy: string | null;
}

interface Gathered {
  position: number;
  readonly variants: Map<string, { field: ArrowField; file: string; files: number }>;
  files: number;
  lackedBy: string | null;
  repeats: number;
  repeatedBy: string | null;
}

export class SchemaUnion {
  /** The files added so far. */
  files = 0;
  private firstFile: string | null = null;
  private readonly gathered = new Map<string, Gathered>();

  add(file: string, fields: readonly ArrowField[]): void {
    const seen = new Set<string>();
    const repeated = new Set<string>();
    for (const [position, field] of fields.entries()) {
      const { name } = field;
      if (seen.has(name)) repeated.add(name);
      else this.open(name, position).files++;
      seen.add(name);
      this.note(file, field);
    }
    for (const name of repeated) {
      const column = this.gathered.get(name)!;
      column.repeats++;
      column.repeatedBy ??= file;
    }
    for (const [name, column] of this.gathered) if (!seen.has(name)) column.lackedBy ??= file;
    this.firstFile ??= file;
    this.files++;
  }

  /**
   * By the lowest position that a column has in any file, then by name: the order of the schema where all files
   * agree.
   */
  columns(): UnionColumn[] {
    return [...this.gathered]
      .sort(([nameA, a], [nameB, b]) => a.position - b.position || (nameA < nameB ? -1 : 1))
      .map(([name, { variants, files, lackedBy, repeats, repeatedBy }]) => ({
        name,
        variants: [...variants.values()].sort((a, b) => (a.field.label < b.field.label ? -1 : 1)),
        files,
        lackedBy,
        repeats,
        repeatedBy,
      }));
  }

  private open(name: string, position: number): Gathered {
    const known = this.gathered.get(name);
    if (known !== undefined) {
      known.position = Math.min(known.position, position);
      return known;
    }
    // The files before this one lacked it.
    const lackedBy = this.firstFile;
    const column = { position, variants: new Map(), files: 0, lackedBy, repeats: 0, repeatedBy: null };
    this.gathered.set(name, column);
    return column;
  }

  private note(file: string, field: ArrowField): void {
    const { variants } = this.gathered.get(field.name)!;
    // Labels leave out the parameters of extensions.
    const key = `${field.label} ${field.nullable} ${JSON.stringify(field.type)}`;
    const known = variants.get(key);
    if (known === undefined) variants.set(key, { field, file, files: 1 });
    else known.files++;
  }
}
