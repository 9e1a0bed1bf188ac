import { dirname } from 'node:path';
import type { Architecture } from '../../schemas/artefact.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { runProgram } from './external-program.ts';

/** Where the parts of a compilation are. All paths are absolute. */
export interface GoCompilation {
  /** Path of the `go` command. */
  readonly goPath: string;
  readonly sourceFolder: string;
  readonly outputPath: string;
  /** Go's own cache of compiled packages. */
  readonly buildCacheFolder: string;
  /** The processor that it is for. Absent: this machine's. */
  readonly architecture?: Architecture;
}

const COMPILE_TIMEOUT_MS = 300_000;
const VERSION_TIMEOUT_MS = 10_000;
const COMMON_FLAGS = ['build', '-buildvcs=false', '-trimpath', '-tags', 'netgo,osusergo'];
const STATIC_PIE_LINK =
  '-s -w -buildid= -linkmode external -extldflags "-static-pie -Wl,--build-id=none"';

/**
 * Compiles the function to one file that needs no other and is the same, byte for byte, whenever
 * and wherever the same tools build it. With a C compiler it is a static position-independent
 * executable, which also unikernels can load; without one, or for another processor, it is an
 * ordinary static executable.
 *
 * @returns the tools by name and version.
 * @throws LockstepError INTERNAL with what the compiler said.
 */
export async function compileGo(compilation: GoCompilation): Promise<Record<string, string>> {
  const go = await readGoVersion(compilation.goPath);
  const isForeign = (compilation.architecture ?? process.arch) !== process.arch;
  const compiler = isForeign ? undefined : await readCompilerVersion();
  if (compiler !== undefined) {
    try {
      await compile(compilation, '1', ['-buildmode=pie', '-ldflags', STATIC_PIE_LINK]);
      return { go, cc: compiler, form: 'static-pie' };
    } catch (error) {
      if (!(error instanceof LockstepError)) throw error;
      process.stderr.write(`functions: no static-pie Go build, a plain one: ${error.message}\n`);
    }
  }
  await compile(compilation, '0', ['-ldflags', '-s -w -buildid=']);
  return { go, form: 'static' };
}

/** The version of a Go command, e.g. `go1.24.4`. */
export async function readGoVersion(goPath: string): Promise<string> {
  const text = await runProgram(goPath, ['env', 'GOVERSION'], {
    timeoutMs: VERSION_TIMEOUT_MS,
    environment: goEnvironment(dirname(goPath), '0'),
  });
  return text.trim();
}

/** The first line of what the C compiler says of itself. Absent if there is none. */
export async function readCompilerVersion(): Promise<string | undefined> {
  try {
    const text = await runProgram('cc', ['--version'], { timeoutMs: VERSION_TIMEOUT_MS });
    return text.split('\n', 1)[0]?.trim().slice(0, 200);
  } catch {
    return undefined;
  }
}

async function compile(
  compilation: GoCompilation,
  cgo: '0' | '1',
  flags: readonly string[],
): Promise<void> {
  await runProgram(
    compilation.goPath,
    [...COMMON_FLAGS, ...flags, '-o', compilation.outputPath, '.'],
    {
      timeoutMs: COMPILE_TIMEOUT_MS,
      folder: compilation.sourceFolder,
      environment: {
        ...goEnvironment(compilation.buildCacheFolder, cgo),
        ...architectureOf(compilation),
      },
    },
  );
}

function architectureOf({ architecture }: GoCompilation): Record<string, string> {
  if (architecture === undefined) return {};
  return { GOARCH: architecture === 'x64' ? 'amd64' : 'arm64' };
}

/** Nothing of the user's Go settings may reach the build, and nothing may be downloaded. */
function goEnvironment(buildCacheFolder: string, cgo: '0' | '1'): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: buildCacheFolder,
    TMPDIR: process.env['TMPDIR'] ?? '/tmp',
    CC: 'cc',
    CGO_ENABLED: cgo,
    GOCACHE: buildCacheFolder,
    GOENV: 'off',
    GOFLAGS: '',
    GOPATH: `${buildCacheFolder}/path`,
    GOPROXY: 'off',
    GOTELEMETRY: 'off',
    GOTOOLCHAIN: 'local',
    GOWORK: 'off',
  };
}
