/** Resolves with what the promise does, or with `undefined` after a time. Rejects as it does. */
export async function settledWithin<T>(
  work: Promise<T>,
  timeoutMs: number,
): Promise<T | undefined> {
  const over = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => {
    over.resolve(undefined);
  }, timeoutMs);
  try {
    return await Promise.race([work, over.promise]);
  } finally {
    clearTimeout(timer);
  }
}
