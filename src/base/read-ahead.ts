/**
 * Reads one item ahead: the next item is made while the caller works on the current one. Items keep their order, and a
 * failure is thrown when its item is requested. A caller that stops early waits for the item that is being made.
 */
export async function* readAhead<T>(source: AsyncGenerator<T, void, undefined>): AsyncGenerator<T, void, undefined> {
  let next = source.next();
  try {
    for (;;) {
      const item = await next;
      if (item.done === true) return;
      next = source.next();
      next.catch(() => undefined); // thrown when the item is requested
      yield item.value;
    }
  } finally {
    await next.catch(() => undefined);
    await source.return();
  }
}
