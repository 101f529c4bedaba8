/**
 * The operations of a leaf by name: bytes of a request to bytes of an answer (fleet/message-head.ts has the list).
 * @throws bad_request for a message that is not understood; as a search for what it asks
 */
import { ShortlistError } from '../../base/errors.js';
import { FieldError } from '../../version/disk/fields.js';
import { FrameError } from '../fleet/frame.js';
import type { Operation } from '../fleet/message-head.js';
import { hydrate } from './hydrate.js';
import { facts, ranks } from './items.js';
import type { LeafTools } from './leaf-tools.js';
import { count, prepare } from './prepare.js';
import { scores, search } from './search.js';

const OPERATION_STEPS: Readonly<Record<Operation, (tools: LeafTools, body: Buffer) => Promise<Buffer>>> = {
  prepare,
  search,
  scores,
  count,
  hydrate,
  facts,
  ranks,
};

export async function runOperation(operation: Operation, tools: LeafTools, body: Buffer): Promise<Buffer> {
  try {
    return await OPERATION_STEPS[operation](tools, body);
  } catch (error) {
    if (!(error instanceof FrameError || error instanceof FieldError)) throw error;
    const message = `the message ${error.message}; the gateway and its servers must be of one release`;
    throw new ShortlistError('bad_request', message, { operation }, { cause: error });
  }
}
