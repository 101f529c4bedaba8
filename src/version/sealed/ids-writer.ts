/** Writes the file of a shard's ids: the ordinals of its rows, then the table of ids by row. */
import type { IdTable } from '../../base/id-table.js';
import { attempt } from '../disk/durable.js';
import type { FileSystem } from '../disk/files.js';
import { SectionWriter } from '../disk/section-writer.js';

/** @param ids of the rows, in their order */
export async function writeShardIds(
  path: string,
  ordinals: Uint32Array,
  ids: IdTable,
  files: FileSystem,
): Promise<void> {
  const writer = await SectionWriter.create(path, 'ids', files);
  const bytes = new Uint8Array(ordinals.buffer, ordinals.byteOffset, ordinals.byteLength);
  try {
    for (const section of [{ name: 'ordinals', bytes }, ...ids.sections()]) {
      await writer.begin(section.name);
      await writer.append(section.bytes);
    }
  } catch (error) {
    await attempt(writer.abort());
    throw error;
  }
  await writer.close();
}
