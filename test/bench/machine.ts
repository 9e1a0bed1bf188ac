import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';

/** The machine that a benchmark ran on, and how busy it was. */
export interface Machine {
  readonly cpuModel: string;
  readonly cores: number;
  readonly architecture: string;
  readonly memoryBytes: number;
  readonly kernel: string;
  /** Load average over the last minute, when the benchmark began. */
  readonly loadAtStart: number;
}

/** What was measured, by version. */
export interface Versions {
  readonly lockstep: string;
  readonly node: string;
  /** Commit of the checkout, with `-dirty` if files differ. Absent outside of git. */
  readonly commit?: string;
}

const ROOT = join(import.meta.dirname, '../..');

/** Describes this machine. */
export function describeMachine(): Machine {
  return {
    cpuModel: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    architecture: arch(),
    memoryBytes: totalmem(),
    kernel: release(),
    loadAtStart: loadavg()[0] ?? 0,
  };
}

/** Names the versions of what runs here. */
export function describeVersions(): Versions {
  const manifest: unknown = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const hasVersion = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  const commit = readCommit();
  return {
    lockstep: hasVersion ? String(manifest.version) : 'unknown',
    node: process.version,
    ...(commit === undefined ? {} : { commit }),
  };
}

function readCommit(): string | undefined {
  try {
    const git = (...words: string[]): string =>
      execFileSync('git', words, {
        cwd: ROOT,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        timeout: 10_000,
      }).trim();
    const commit = git('rev-parse', '--short=12', 'HEAD');
    return git('status', '--porcelain') === '' ? commit : `${commit}-dirty`;
  } catch {
    // A downloaded archive has no history, and git itself may be missing.
    return undefined;
  }
}
