import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { assertFreeSpace } from '../../../coordinator/recording/free-space.ts';
import { rejection } from '../../support/rejection.ts';
import { smallDisk } from '../../support/small-disk.ts';

test('assertFreeSpace refuses a disk that is nearly full, until there is room again', async (t) => {
  const disk = await smallDisk(t, 16 * 1024 * 1024);
  if ('missing' in disk) {
    t.log(`skipped: ${disk.missing}`);
    t.pass();
    return;
  }
  await t.notThrowsAsync(assertFreeSpace(disk.path));
  const filler = join(disk.path, 'filler');
  await writeFile(filler, Buffer.alloc(13 * 1024 * 1024, 1));
  const error = await rejection(assertFreeSpace(disk.path));
  t.is(error.code, 'STORAGE_FULL');
  t.regex(error.message, /^\d+ bytes are left/);
  await truncate(filler, 0);
  await t.notThrowsAsync(assertFreeSpace(disk.path));
});
