import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Roots } from '../../../agent/collectors/collector.ts';

/** Texts of files by path, such as `sys/class/thermal/thermal_zone0/temp`; `->` begins a link. */
export type FileTree = Readonly<Record<string, string>>;

/** Writes files below a new folder that stands for /proc, /sys and /dev, and removes it. */
export async function withFileTree<T>(
  tree: FileTree,
  use: (roots: Roots, folder: string) => T | Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-tree-'));
  try {
    for (const [path, text] of Object.entries(tree)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      if (text.startsWith('->')) await symlink(text.slice('->'.length), join(folder, path));
      else await writeFile(join(folder, path), text);
    }
    const roots = {
      proc: join(folder, 'proc'),
      sys: join(folder, 'sys'),
      dev: join(folder, 'dev'),
    };
    return await use(roots, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
