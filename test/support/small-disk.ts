import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Teardown } from './nats-server.ts';

/**
 * The path of a file system of its own with so little room, or why there can be none. It is mounted
 * in the mount namespace of a child, and reached through that, so the machine's mounts stay.
 */
export async function smallDisk(
  t: Teardown,
  sizeBytes: number,
): Promise<{ path: string } | { missing: string }> {
  if (process.getuid?.() !== 0) return { missing: 'only root may mount' };
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-disk-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  const mount = `mount -t tmpfs -o size=${sizeBytes},mode=700 tmpfs "$1"`;
  // It ends with its stdin, so with this process at the latest.
  const hold = `exec unshare --mount sh -c '${mount} && echo mounted && exec cat' sh "$1"`;
  const holder = spawn('sh', ['-c', hold, 'sh', folder], { stdio: ['pipe', 'pipe', 'inherit'] });
  const closed = once(holder, 'close').catch(() => undefined);
  t.teardown(async () => {
    holder.stdin.end();
    await closed;
  });
  const isMounted = await Promise.race([
    once(holder.stdout, 'data').then(() => true),
    closed.then(() => false),
  ]);
  if (!isMounted || holder.pid === undefined) return { missing: 'unshare or mount is refused' };
  return { path: `/proc/${holder.pid}/root${folder}` };
}
