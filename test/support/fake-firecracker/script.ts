import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FakeOptions } from './options.ts';

/**
 * Writes a program that is the fake with these options, to be named in LOCKSTEP_FIRECRACKER.
 * Returns its path.
 */
export function writeFakeFirecracker(folder: string, options: FakeOptions): Promise<string> {
  return writeProgram(join(folder, 'firecracker'), 'main.ts', options);
}

/** The same for the jailer, to be named in LOCKSTEP_JAILER. */
export function writeFakeJailer(
  folder: string,
  options: Pick<FakeOptions, 'journal'>,
): Promise<string> {
  return writeProgram(join(folder, 'jailer'), 'jailer/main.ts', options);
}

async function writeProgram(file: string, main: string, options: object): Promise<string> {
  const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  const words = [process.execPath, join(import.meta.dirname, main), JSON.stringify(options)];
  const script = `#!/bin/sh\nexec ${words.map(quote).join(' ')} "$@"\n`;
  await writeFile(file, script, { mode: 0o755 });
  return file;
}
