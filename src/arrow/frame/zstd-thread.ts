/**
 * The thread of zstd-decoder.ts: decompresses one frame after the other. Any error other than libzstd's verdict on a
 * frame ends the thread, since the module's memory may be corrupt then.
 */
import { parentPort } from 'node:worker_threads';
import { decompress, init } from '@bokuweb/zstd-wasm';

export interface ZstdTask {
  readonly frame: Uint8Array;
  readonly length: number;
}

export type ZstdReply = { readonly content: Uint8Array } | { readonly damage: string };

const port = parentPort;
if (port === null) throw new Error('zstd-thread runs as a worker thread only');

await init();

port.on('message', ({ frame, length }: ZstdTask) => {
  try {
    // If the header of the frame has a size, it was found equal to `length`; `length` stands in for a missing one.
    const content = decompress(frame, { defaultHeapSize: length });
    const reply: ZstdReply = { content };
    port.postMessage(reply, [content.buffer as ArrayBuffer]);
  } catch (error) {
    const code = error instanceof Error ? /^Failed to compress with code -(\d+)$/.exec(error.message)?.[1] : undefined;
    if (code === undefined) throw error;
    const reply: ZstdReply = { damage: `Zstandard error ${code}` };
    port.postMessage(reply);
  }
});
