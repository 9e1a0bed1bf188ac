// A thread that takes the name of a vCPU, so that a process has some without a virtual machine. It
// works for as long as it is told to, then says so and waits.
import { readlinkSync, writeFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

const { name } = workerData as { name: string };
const folder = `/proc/${readlinkSync('/proc/thread-self')}`;
writeFileSync(`${folder}/comm`, name);
parentPort?.on('message', (workMs: number) => {
  const endMs = performance.now() + workMs;
  while (performance.now() < endMs);
  parentPort?.postMessage('done');
});
parentPort?.postMessage('named');
