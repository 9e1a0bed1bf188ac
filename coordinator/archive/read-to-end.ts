/** Reads all there is and keeps nothing: for what happens on the way. */
export async function readToEnd(values: AsyncIterable<unknown>): Promise<void> {
  const iterator = values[Symbol.asyncIterator]();
  while ((await iterator.next()).done !== true);
}
