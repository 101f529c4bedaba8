/**
 * The memory of large buffers, given back as soon as nobody needs it. Node 24 and later find memory outside the heap only by
 * marking the heap, so that dozens of answers of megabytes may lie about at a time. Node 20 finds it soon, and cannot be told.
 */

/** Below, the collector keeps up. Above what Node cuts small buffers from (64 KiB in Node 26), so that it is not taken from others. */
export const LARGE_BYTES = 256 * 1024;

/** ArrayBuffers that can be moved are newer than the types that the sources are compiled with. */
type Movable = ArrayBufferLike & { transfer?(bytes: number): unknown };

/**
 * Frees the memory behind a buffer that has all of it. Nobody may read or write it afterwards, on any thread: the buffer and
 * its parts are empty.
 */
export function freeMemory({ buffer }: Uint8Array): void {
  const memory: Movable = buffer;
  if (memory.byteLength >= LARGE_BYTES) memory.transfer?.(0);
}
