/** Why and when a service process is to end. */
export interface Lifetime {
  /** Aborts with the reason as a string. */
  readonly signal: AbortSignal;
  /** Resolves with the reason. */
  readonly over: Promise<string>;
}

/**
 * Lets a service process live until SIGINT, SIGTERM or SIGHUP, or, if it has a lifeline, until its
 * stdin ends because its parent is gone. Once that has come the process has `stopTimeoutMs` to end
 * by itself; then it is ended with code 1.
 */
export function beginLifetime(options: { hasLifeline: boolean; stopTimeoutMs: number }): Lifetime {
  const controller = new AbortController();
  const over = Promise.withResolvers<string>();
  const end = (reason: string): void => {
    if (controller.signal.aborted) return;
    controller.abort(reason);
    over.resolve(reason);
    setTimeout(() => process.exit(1), options.stopTimeoutMs).unref();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      end(name);
    });
  }
  if (options.hasLifeline) {
    process.stdin.resume();
    process.stdin.once('close', () => {
      end('the parent process is gone');
    });
  }
  return { signal: controller.signal, over: over.promise };
}
