import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ByteScan } from './byte-scan.ts';
import type {
  FastSource,
  HostCollector,
  OpenedSource,
  ReadOutcome,
  Reading,
  Roots,
  SeriesIdentity,
  SlowSource,
} from './collector.ts';
import { listNames } from './hwmon.ts';
import { KeptFile, TEXT } from './kept-file.ts';

/**
 * Clock frequencies of the processors: by cpufreq where there is a driver, else as /proc/cpuinfo
 * has them. Source: the kernel's Documentation/admin-guide/pm/cpufreq.rst.
 */
export const frequency: HostCollector = { source: 'frequency', open };

function open(roots: Roots): OpenedSource {
  const processors = listProcessors(roots.sys).filter((name) =>
    existsSync(currentFile(roots.sys, name)),
  );
  if (processors.length > 0) return new ScalingFrequencies(roots.sys, processors);
  const cpuinfo = join(roots.proc, 'cpuinfo');
  if (parseCpuMhz(readText(cpuinfo)).size > 0) return new CpuinfoFrequencies(cpuinfo);
  return {
    unavailable: 'there is no cpufreq driver, and /proc/cpuinfo tells no frequency',
    remedy: 'a kernel with the cpufreq driver of this processor; virtual machines often have none',
  };
}

function processorFolder(sys: string, name: string): string {
  return join(sys, 'devices', 'system', 'cpu', name);
}

function listProcessors(sys: string): string[] {
  return listNames(processorFolder(sys, '')).filter((name) => /^cpu\d+$/.test(name));
}

function currentFile(sys: string, name: string): string {
  return join(processorFolder(sys, name), 'cpufreq', 'scaling_cur_freq');
}

const HZ_PER_KHZ = 1_000;
const HZ_PER_MHZ = 1_000_000;

class ScalingFrequencies implements FastSource {
  readonly pace = 'fast';
  readonly limit = { hz: 100, reason: 'governors decide every 10 ms at most' };
  readonly series: readonly SeriesIdentity[];
  readonly #files: readonly KeptFile[];
  readonly #scan = new ByteScan();

  constructor(sys: string, processors: readonly string[]) {
    this.series = processors.map((name) => ({
      metric: 'system.cpu.frequency',
      attributes: { 'cpu.logical_number': name.slice('cpu'.length) },
    }));
    this.#files = processors.map((name) => new KeptFile(currentFile(sys, name)));
  }

  read(row: Float64Array): ReadOutcome {
    let found = 0;
    for (let index = 0; index < this.#files.length; index += 1) {
      const length = this.#files[index]?.read();
      let kilohertz = Number.NaN;
      // A processor that was switched off has none.
      if (typeof length === 'number') {
        this.#scan.begin(TEXT, 0, length);
        kilohertz = this.#scan.integer();
      }
      row[index] = kilohertz * HZ_PER_KHZ;
      if (!Number.isNaN(kilohertz)) found += 1;
    }
    return found === 0 ? 'absent' : 'read';
  }

  close(): void {
    for (const file of this.#files) file.close();
  }
}

class CpuinfoFrequencies implements SlowSource {
  readonly pace = 'slow';
  readonly limit = {
    hz: 1,
    reason: '/proc/cpuinfo has a long text for every processor, and older kernels ask each of them',
  };
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  async read(): Promise<readonly Reading[] | 'absent'> {
    const megahertz = parseCpuMhz(await readFile(this.#file, 'latin1'));
    if (megahertz.size === 0) return 'absent';
    return [...megahertz].map(([number, value]) => ({
      metric: 'system.cpu.frequency',
      attributes: { 'cpu.logical_number': number },
      // Whole hertz: the product of a decimal fraction is off in its last digits.
      value: Math.round(value * HZ_PER_MHZ),
    }));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Reads the MHz of each processor from the text of /proc/cpuinfo, by its number. */
export function parseCpuMhz(text: string): Map<string, number> {
  const found = new Map<string, number>();
  let processor: string | undefined;
  for (const line of text.split('\n')) {
    const [key = '', value = ''] = line.split(':', 2).map((part) => part.trim());
    if (key === 'processor') processor = value;
    if (key !== 'cpu MHz' || processor === undefined) continue;
    // Some hypervisors leave it at zero, which is no frequency.
    if (Number(value) > 0) found.set(processor, Number(value));
  }
  return found;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
