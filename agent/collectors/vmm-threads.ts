import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ByteScan } from './byte-scan.ts';
import type {
  FastSource,
  OpenedSource,
  ReadOutcome,
  Roots,
  SandboxCollector,
  SandboxTarget,
  SeriesIdentity,
  VmmTarget,
} from './collector.ts';
import { KeptFile, TEXT } from './kept-file.ts';
import { processesUnknown, readSandboxProcesses } from './vmm-process.ts';

/**
 * Run and wait times of the threads of a VMM: of each vCPU, and of all other threads together.
 * Source: the kernel's Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat.
 */
export const vmmThreads: SandboxCollector = { source: 'vmm-threads', open };

function open(target: SandboxTarget, roots: Roots): OpenedSource {
  const { vmm } = target;
  if (vmm === undefined) return { unavailable: 'this kind of sandbox has no VMM' };
  const unknown = processesUnknown(target);
  if (unknown !== undefined) return { unavailable: unknown };
  if (!existsSync(join(roots.proc, 'self', 'schedstat'))) {
    return {
      unavailable: 'the kernel keeps no run and wait times of threads',
      remedy: 'a kernel with CONFIG_SCHED_INFO',
    };
  }
  return new VmmThreads(target, vmm, roots);
}

const NS_PER_S = 1e9;
/** Between two looks for threads until all vCPUs are found, ms. */
const SEARCH_MS = 10;
/** Between two looks for other threads afterwards, ms. */
const LOOK_MS = 100;
const OTHER_THREADS_MAX = 256;

/** The times of one thread, as last read. */
class ThreadTimes {
  readonly #file: KeptFile;
  readonly #scan = new ByteScan();
  runNs = 0;
  waitNs = 0;

  constructor(folder: string) {
    this.#file = new KeptFile(join(folder, 'schedstat'));
    this.#file.open();
  }

  /** Reads them. False if the thread is gone; the last times stay. */
  read(): boolean {
    const length = this.#file.read();
    if (typeof length !== 'number') {
      this.#file.close();
      return false;
    }
    this.#scan.begin(TEXT, 0, length);
    const runNs = this.#scan.integer();
    const waitNs = this.#scan.integer();
    if (Number.isNaN(runNs) || Number.isNaN(waitNs)) return true;
    this.runNs = runNs;
    this.waitNs = waitNs;
    return true;
  }

  close(): void {
    this.#file.close();
  }
}

class VmmThreads implements FastSource {
  readonly pace = 'fast';
  readonly series: readonly SeriesIdentity[];
  readonly #target: SandboxTarget;
  readonly #roots: Roots;
  readonly #vcpuName: RegExp;
  // A place per vCPU. Undefined: not found yet. Null: it has ended.
  readonly #vcpus: (ThreadTimes | undefined | null)[];
  readonly #others = new Map<string, ThreadTimes>();
  #endedRunNs = 0;
  #endedWaitNs = 0;
  #processId: string | undefined;
  #isComplete = false;
  #hasTooMany = false;
  #nextLookMs = 0;
  #isClosed = false;

  constructor(target: SandboxTarget, vmm: VmmTarget, roots: Roots) {
    this.#target = target;
    this.#roots = roots;
    const prefix = vmm.vcpuThreadPrefix.replaceAll(/[^\w ]/g, '\\$&');
    this.#vcpuName = new RegExp(`^${prefix}(\\d+)(?!\\d)`);
    this.#vcpus = Array.from({ length: vmm.vcpus });
    const threads = [...this.#vcpus.map((_, index) => `vcpu-${index}`), 'vmm'];
    this.series = threads.flatMap((thread) => {
      const attributes = { 'lockstep.thread': thread };
      return [
        { metric: 'lockstep.vmm.thread.run.time', attributes },
        { metric: 'lockstep.vmm.thread.wait.time', attributes },
      ] as const;
    });
  }

  read(row: Float64Array): ReadOutcome {
    if (this.#isClosed) return 'ended';
    const nowMs = performance.now();
    if (nowMs >= this.#nextLookMs) {
      this.#look();
      this.#nextLookMs = nowMs + (this.#isComplete ? LOOK_MS : SEARCH_MS);
    }
    row.fill(Number.NaN);
    if (this.#processId === undefined) return 'absent';
    let alive = 0;
    for (let index = 0; index < this.#vcpus.length; index += 1) {
      const times = this.#vcpus[index];
      if (times === undefined || times === null) continue;
      if (times.read()) {
        alive += 1;
        row[2 * index] = times.runNs / NS_PER_S;
        row[2 * index + 1] = times.waitNs / NS_PER_S;
      } else this.#vcpus[index] = null;
    }
    this.#readOthers(row);
    if (alive > 0 || this.#others.size > 0) return 'read';
    row.fill(Number.NaN);
    return this.#isComplete ? 'ended' : 'absent';
  }

  close(): void {
    this.#isClosed = true;
    for (const times of [...this.#vcpus, ...this.#others.values()]) times?.close();
    this.#others.clear();
  }

  // Threads come and go. What one had at its last reading stays in the sum when it has ended, so
  // the sum never falls; it misses what a thread did after that, and threads that came and went
  // between two looks.
  #readOthers(row: Float64Array): void {
    // Until all vCPUs are found, one of them may still have the name of another thread.
    if (!this.#isComplete) return;
    let runNs = 0;
    let waitNs = 0;
    for (const [id, times] of this.#others) {
      if (times.read()) {
        runNs += times.runNs;
        waitNs += times.waitNs;
      } else {
        this.#endedRunNs += times.runNs;
        this.#endedWaitNs += times.waitNs;
        this.#others.delete(id);
      }
    }
    if (this.#hasTooMany) return;
    row[2 * this.#vcpus.length] = (this.#endedRunNs + runNs) / NS_PER_S;
    row[2 * this.#vcpus.length + 1] = (this.#endedWaitNs + waitNs) / NS_PER_S;
  }

  #look(): void {
    this.#processId ??= this.#findVmm();
    if (this.#processId !== undefined) this.#lookInto(this.#processId);
  }

  // The first process that has a thread with the name of a vCPU.
  #findVmm(): string | undefined {
    return readSandboxProcesses(this.#target).find((id) => {
      const folder = join(this.#roots.proc, id, 'task');
      return listFolder(folder).some((thread) => this.#isVcpu(join(folder, thread)));
    });
  }

  #lookInto(processId: string): void {
    const folder = join(this.#roots.proc, processId, 'task');
    const threads = listFolder(folder);
    if (!this.#isComplete) {
      for (const id of threads) this.#noteVcpu(join(folder, id));
      this.#isComplete = this.#vcpus.every((times) => times !== undefined);
    }
    if (!this.#isComplete) return;
    for (const id of threads) {
      if (this.#others.has(id) || this.#isVcpu(join(folder, id))) continue;
      if (this.#others.size >= OTHER_THREADS_MAX) {
        // Not the whole sum: better none. It does not come back, as threads were missed.
        this.#hasTooMany = true;
        return;
      }
      this.#others.set(id, new ThreadTimes(join(folder, id)));
    }
  }

  #noteVcpu(folder: string): void {
    const index = this.#vcpuIndex(folder);
    if (index === undefined || index >= this.#vcpus.length) return;
    this.#vcpus[index] ??= new ThreadTimes(folder);
  }

  #isVcpu(folder: string): boolean {
    const index = this.#vcpuIndex(folder);
    return index !== undefined && index < this.#vcpus.length;
  }

  #vcpuIndex(folder: string): number | undefined {
    const name = readName(folder);
    const digits = this.#vcpuName.exec(name)?.[1];
    return digits === undefined ? undefined : Number(digits);
  }
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // The process has ended.
    return [];
  }
}

function readName(folder: string): string {
  try {
    return readFileSync(join(folder, 'comm'), 'latin1').trimEnd();
  } catch {
    return '';
  }
}
