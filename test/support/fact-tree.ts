import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { FactRoots } from '../../agent/facts/sources.ts';

/** The part of ava's context that undoes things at the end of a test. */
interface Teardown {
  teardown(undo: () => Promise<void>): void;
}

/** Content of a file, or where a link leads, from the folder of the tree. */
export type FactFile = string | Buffer | { readonly linkTo: string };

/**
 * Folders of a made-up machine, by paths such as `sys/class/net/eth0/speed`; removed after the
 * test.
 */
export async function makeFactTree(
  t: Teardown,
  files: Readonly<Record<string, FactFile>>,
): Promise<FactRoots> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-facts-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    if (typeof content === 'string' || Buffer.isBuffer(content)) await writeFile(file, content);
    else await symlink(join(folder, content.linkTo), file);
  }
  const below = (name: string): string => join(folder, name);
  return {
    proc: below('proc'),
    sys: below('sys'),
    dev: below('dev'),
    boot: below('boot'),
    run: below('run'),
  };
}
