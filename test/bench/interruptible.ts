const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Does work that has something to clean up. If this process is told to end, the work's signal
 * aborts, and once the work has cleaned up, the process ends of what it was told.
 */
export async function interruptible(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const abort = new AbortController();
  let received: NodeJS.Signals | undefined;
  const onSignal = (name: NodeJS.Signals): void => {
    received = name;
    abort.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  try {
    await work(abort.signal);
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal);
    if (received !== undefined) process.kill(process.pid, received);
  }
}
