/** Does a fixed amount of work each time it is told to, and tells how long that took. */
import { readCpuNs } from '../process-cpu.ts';

const WORDS = 2 * 1024 * 1024;
const STEPS_PER_UNIT = 100_000;

const memory = new Int32Array(WORDS);

// Arithmetic, and reads all over more memory than a processor keeps to itself.
function work(units: number): number {
  let state = 88_675_123;
  let sum = 0;
  for (let step = units * STEPS_PER_UNIT; step > 0; step -= 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const place = state & (WORDS - 1);
    sum = (sum + (memory[place] ?? 0)) | 0;
    memory[place] = sum ^ step;
  }
  return sum;
}

process.on('message', (units: number) => {
  const beforeCpuNs = readCpuNs(process.pid);
  const startNs = process.hrtime.bigint();
  const sum = work(units);
  const wallNs = Number(process.hrtime.bigint() - startNs);
  process.send?.({ wallNs, cpuNs: readCpuNs(process.pid) - beforeCpuNs, sum });
});
