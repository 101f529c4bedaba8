/**
 * The columns of several files together. Takes the schema of one file after the other; returns each column with all its
 * types and a file for each, whatever the order of the files. Memory grows with the differences between schemas, not
 * with the number of files.
 */
import type { ArrowField } from '../arrow/column.js';

/** One type of a column. */
export interface ColumnVariant {
  readonly field: ArrowField;
  /** The first file with this type, and the number of such files. */
  readonly file: string;
  readonly files: number;
}

export interface UnionColumn {
  readonly name: string;
  /** At least one, sorted by label. */
  readonly variants: readonly ColumnVariant[];
  /** How many files have the column, and the first file without it. */
  readonly files: number;
  readonly missingFrom: string | null;
  /** How many files have several columns of the name, and the first of them. */
  readonly repeats: number;
  readonly repeatedIn: string | null;
}

interface MutableColumn {
  position: number;
  readonly variants: Map<string, { field: ArrowField; file: string; files: number }>;
  files: number;
  missingFrom: string | null;
  repeats: number;
  repeatedIn: string | null;
}

export class SchemaUnion {
  /** Number of files added. */
  files = 0;
  private firstFile: string | null = null;
  private readonly byName = new Map<string, MutableColumn>();

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
      const column = this.byName.get(name)!;
      column.repeats++;
      column.repeatedIn ??= file;
    }
    for (const [name, column] of this.byName) if (!seen.has(name)) column.missingFrom ??= file;
    this.firstFile ??= file;
    this.files++;
  }

  /** Sorted by the lowest position in any file, then by name: the order of the schema if all files agree. */
  columns(): UnionColumn[] {
    return [...this.byName]
      .sort(([nameA, a], [nameB, b]) => a.position - b.position || (nameA < nameB ? -1 : 1))
      .map(([name, { variants, files, missingFrom, repeats, repeatedIn }]) => ({
        name,
        variants: [...variants.values()].sort((a, b) => (a.field.label < b.field.label ? -1 : 1)),
        files,
        missingFrom,
        repeats,
        repeatedIn,
      }));
  }

  private open(name: string, position: number): MutableColumn {
    const known = this.byName.get(name);
    if (known !== undefined) {
      known.position = Math.min(known.position, position);
      return known;
    }
    // The files before this one do not have it.
    const missingFrom = this.firstFile;
    const column = { position, variants: new Map(), files: 0, missingFrom, repeats: 0, repeatedIn: null };
    this.byName.set(name, column);
    return column;
  }

  private note(file: string, field: ArrowField): void {
    const { variants } = this.byName.get(field.name)!;
    // Labels do not have the parameters of extensions.
    const key = `${field.label} ${field.nullable} ${JSON.stringify(field.type)}`;
    const known = variants.get(key);
    if (known === undefined) variants.set(key, { field, file, files: 1 });
    else known.files++;
  }
}
