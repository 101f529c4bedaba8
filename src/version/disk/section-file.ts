/**
 * Reads a section file. Takes a path; returns sections in shared memory, so that threads use them without a copy. The
 * whole header is checked before anything else is read (section-layout.ts). Fails with `file_corrupt`, `file_missing`
 * or `format_unsupported`, naming the file.
 */
import { ShortlistError } from '../../base/errors.js';
import { closing, hashRange, openIfPresent } from './durable.js';
import type { FileSystem, OpenFile } from './files.js';
import { decodeHeader, PAGE_BYTES, requireLittleEndian, SECTION_FORMAT, type Section, type SectionFileKind } from './section-layout.js'; // prettier-ignore

/** Sections are read in windows of this size: a section may be longer than the 4 GiB of a byte view in Node 20. */
const WINDOW_BYTES = 2 ** 28;

export class SectionFile {
  private constructor(
    readonly path: string,
    private readonly file: OpenFile,
    readonly sections: readonly Section[],
  ) {}

  /** Opens a file, runs `work` on it and closes it. */
  static async use<T>(
    path: string,
    kind: SectionFileKind,
    files: FileSystem,
    work: (file: SectionFile) => Promise<T>,
  ): Promise<T> {
    requireLittleEndian();
    const file = await openIfPresent(path, files);
    if (file === null) throw new ShortlistError('file_missing', `${path} does not exist`, { file: path });
    return closing(file, async () => work(new SectionFile(path, file, await readTable(path, kind, file))));
  }

  /** Length of a section in bytes. */
  size(name: string): number {
    return this.find(name).bytes;
  }

  /** Where a section starts in the file. */
  offset(name: string): number {
    return this.find(name).offset;
  }

  /** The whole section. Above 4 GiB only views of wider elements, such as Float32Array, span it. */
  async read(name: string): Promise<SharedArrayBuffer> {
    const { offset, bytes } = this.find(name);
    const memory = allocate(this.path, bytes);
    for (let from = 0; from < bytes; from += WINDOW_BYTES) {
      const window = new Uint8Array(memory, from, Math.min(WINDOW_BYTES, bytes - from));
      const read = await this.file.read(window, offset + from);
      if (read < window.length) throw fileCorrupt(this.path, `ends ${window.length - read} bytes too early in ${name}`);
    }
    return memory;
  }

  /**
   * Compares the bytes of each section with its digest in the header.
   * @param onPart called with the bytes of the sections, in parts, front to back
   * @throws file_corrupt
   */
  async checkDigests(onPart: (section: string, part: Uint8Array) => void = () => undefined): Promise<void> {
    for (const { name, offset, bytes, sha256 } of this.sections) {
      const found = await hashRange(this.file, offset, offset + bytes, { onPart: (part) => onPart(name, part) });
      if (found.sha256 === sha256) continue;
      throw fileCorrupt(this.path, `differs from its header's checksum in section ${name}`);
    }
  }

  private find(name: string): Section {
    const section = this.sections.find((candidate) => candidate.name === name);
    if (section === undefined) throw fileCorrupt(this.path, `lacks the section ${name}`);
    return section;
  }
}

function allocate(path: string, bytes: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(bytes);
  } catch (cause) {
    const message = `${path} needs ${bytes} bytes of memory in one piece, more than this process can get`;
    throw new ShortlistError('insufficient_memory', message, { file: path, bytes }, { cause });
  }
}

export function fileCorrupt(path: string, problem: string, details: object = {}): ShortlistError {
  const message = `${path} ${problem}; restore the file or build the version again`;
  return new ShortlistError('file_corrupt', message, { file: path, ...details });
}

async function readTable(path: string, kind: SectionFileKind, file: OpenFile): Promise<Section[]> {
  const page = new Uint8Array(PAGE_BYTES);
  const read = await file.read(page, 0);
  const { bytes } = await file.stat();
  const header = decodeHeader(page.subarray(0, read), kind, bytes);
  if ('sections' in header) return header.sections;
  if ('problem' in header) throw fileCorrupt(path, header.problem);
  const message = `${path} has format ${header.format}, and this release reads format ${SECTION_FORMAT}: use the release that wrote it or build the version again`;
  throw new ShortlistError('format_unsupported', message, { file: path, format: header.format });
}
