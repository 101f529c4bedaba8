/** `hydrate`: ids, and what else candidates show, in the form in which the gateway passes it on. */
import type { Column } from '../../arrow/column.js';
import { ArrowWriter } from '../../arrow/write/writer.js';
import { gatherIds } from '../../base/id-table-parts.js';
import { MAX_ANSWER_BYTES } from '../../base/limits.js';
import { Meter, type Work } from '../../base/work.js';
import { extraColumns } from '../../retrieve/library/answer-table.js';
import { answerTooLarge } from '../answer/answers.js';
import { extraWriters } from '../answer/candidate-text.js';
import { TextBytes } from '../answer/text-bytes.js';
import { readHydrateRequest, writeHydrateAnswer, type HydrateRequest } from '../fleet/rows-message.js';
import type { LeafTools } from './leaf-tools.js';

interface Extras {
  readonly extras: Uint8Array;
  readonly ends: Uint32Array;
}

/** Cost of a candidate's text in Meter units. */
const TEXT_UNITS = 1_000;

export async function hydrate(tools: LeafTools, body: Buffer): Promise<Buffer> {
  const request = readHydrateRequest(body);
  const { leaf, turns, limit } = tools;
  const locals = leaf.toLocals(request.ordinals);
  const { ids } = leaf.version;
  const extras =
    request.form === 'text'
      ? await turns.runWork(limit, writeTexts(tools, request, locals))
      : await writeColumns(tools, request, locals);
  return writeHydrateAnswer({ ids: gatherIds(ids.type, [ids], new Uint32Array(locals.length), locals), ...extras });
}

function* writeTexts(
  { leaf, memory }: LeafTools,
  { attributes, vectors }: HydrateRequest,
  locals: Uint32Array,
): Work<Extras> {
  const writers = extraWriters(leaf.version, { attributes, vectors });
  const text = new TextBytes();
  const ends = new Uint32Array(locals.length);
  const meter = new Meter();
  let counted = 0;
  for (const [i, ordinal] of locals.entries()) {
    if (meter.spend(TEXT_UNITS)) yield;
    for (const write of writers) write(ordinal, text);
    if (text.length > MAX_ANSWER_BYTES) throw answerTooLarge();
    memory.grow(text.length - counted);
    counted = text.length;
    ends[i] = counted;
  }
  return { extras: text.bytes.subarray(0, text.length), ends };
}

async function writeColumns(
  { leaf, memory }: LeafTools,
  { attributes, vectors }: HydrateRequest,
  locals: Uint32Array,
): Promise<Extras> {
  let bytes = 0;
  const grow = (more: number) => {
    bytes += more;
    if (bytes > MAX_ANSWER_BYTES) throw answerTooLarge();
    memory.grow(more);
  };
  const columns = extraColumns(leaf.version, attributes ?? [], vectors, grow);
  const parts: Uint8Array[] = [];
  const writer = new ArrowWriter(
    'stream',
    { fields: columns.map(({ field }) => field), metadata: new Map() },
    (part) => {
      parts.push(Uint8Array.from(part));
    },
  );
  await writer.write(columns.map((column): Column => column.gather(locals, 0)));
  await writer.close();
  return { extras: Buffer.concat(parts), ends: new Uint32Array(0) };
}
