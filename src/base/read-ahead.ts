/**
 * One item ahead: while the caller works on an item, the next one is made. Items come in order; a failure comes when
 * its item is asked for, and a caller that leaves early waits for the one that is being made.
 */
export async function* readAhead<T>(source: AsyncGenerator<T, void, undefined>): AsyncGenerator<T, void, undefined> {
  let next = source.next();
  try {
    for (;;) {
      const item = await next;
      if (item.done === true) return;
      next = source.next();
      next.catch(() => undefined); // told when it is asked for
      yield item.value;
    }
  } finally {
    await next.catch(() => undefined);
    await source.return();
  }
}
