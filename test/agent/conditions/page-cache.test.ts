import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { findColdFiles } from '../../../agent/conditions/cold-files.ts';
import type { ColdFilesContext } from '../../../agent/conditions/cold-files.ts';
import { PageCacheWatch } from '../../../agent/conditions/page-cache-watch.ts';
import {
  findInMemoryOnly,
  mistakeAfter,
  mistakeBefore,
  parseResidency,
  readResidency,
  setPageCache,
} from '../../../agent/conditions/page-cache.ts';
import type { FileResidency } from '../../../agent/conditions/page-cache.ts';
import { Findings } from '../../../agent/procedures/findings.ts';

const MIB = 1024 * 1024;

async function folderOf(parent: string, t: { teardown: (run: () => unknown) => void }) {
  const folder = await mkdtemp(join(parent, 'lockstep-page-cache-'));
  t.teardown(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'a'), Buffer.alloc(2 * MIB, 1));
  await writeFile(join(folder, 'b'), Buffer.alloc(3000, 2));
  await writeFile(join(folder, 'empty'), '');
  return folder;
}

function contextOf(folder: string): ColdFilesContext {
  return { driver: {}, driverContext: {}, functionRoot: { folder } } as ColdFilesContext;
}

function file(residentBytes: number, sizeBytes: number): FileResidency {
  return { file: '/f', residentBytes, sizeBytes };
}

test('what was just written is evicted, and read again is cached', async (t) => {
  // The checkout is on a disk, a folder for temporary files may not be.
  const folder = await folderOf(import.meta.dirname, t);
  const files = await findColdFiles(contextOf(folder));
  t.deepEqual(files, [join(folder, 'a'), join(folder, 'b')]);
  if ((await findInMemoryOnly(files)).length > 0) {
    t.log('skipped: the checkout is on a file system in memory');
    t.pass();
    return;
  }
  await setPageCache('evicted', files);
  const evicted = await readResidency(files);
  t.deepEqual(
    evicted.map(({ residentBytes, sizeBytes }) => [residentBytes, sizeBytes]),
    [
      [0, 2 * MIB],
      [0, 3000],
    ],
  );
  t.is(mistakeBefore('evicted', evicted), undefined);
  await setPageCache('cached', files);
  const cached = await readResidency(files);
  t.is(mistakeBefore('cached', cached), undefined);
  t.is(mistakeAfter('cached', cached), undefined);
});

test('files in memory can not be evicted, and the result is marked', async (t) => {
  const folder = await folderOf('/dev/shm', t);
  const findings = new Findings();
  const watch = new PageCacheWatch(contextOf(folder), 'evicted');
  await watch.before(findings);
  const { conditions = {}, invalid = [] } = findings.toOutcome();
  t.regex(conditions['page-cache-fixed'] ?? '', /^2 files are on a file system in memory/);
  t.deepEqual(
    invalid.map(({ code }) => code),
    ['page-cache'],
  );
  t.regex(invalid[0]?.message ?? '', /wanted evicted: 2100152 of 2100152 bytes of 2 files/);
});

test('a driver names other files than those of the function', async (t) => {
  const folder = await folderOf('/dev/shm', t);
  const context = {
    ...contextOf('/nowhere'),
    driver: { coldFiles: () => Promise.resolve([join(folder, 'b'), join(folder, 'empty')]) },
  } as unknown as ColdFilesContext;
  t.deepEqual(await findColdFiles(context), [join(folder, 'b')]);
});

test('what can not be read back is not trusted', async (t) => {
  const findings = new Findings();
  const watch = new PageCacheWatch(contextOf('/nowhere'), 'cached');
  await watch.before(findings);
  const { conditions = {}, invalid = [] } = findings.toOutcome();
  t.regex(conditions['page-cache-unknown'] ?? '', /not measured: .*nowhere/);
  t.is(invalid[0]?.code, 'page-cache');
});

test('mistakeBefore and mistakeAfter know what is outside of the wanted state', (t) => {
  const partly = [file(4096, 4096), file(0, 4096)];
  t.regex(mistakeBefore('evicted', partly) ?? '', /wanted evicted: 4096 of 8192 bytes of 2 files/);
  t.regex(mistakeBefore('cached', partly) ?? '', /wanted cached: 4096 of 8192/);
  t.regex(mistakeAfter('cached', partly) ?? '', /after the trial, wanted cached/);
  t.is(mistakeAfter('cached', [file(4096, 4096), file(1_000_000, 1_004_096)]), undefined);
  t.is(mistakeAfter('evicted', partly), undefined);
  t.regex(mistakeAfter('evicted', [file(0, 4096)]) ?? '', /nothing of the 1 files evicted/);
  // A page is more than a small file.
  t.is(mistakeBefore('cached', [file(4096, 3000)]), undefined);
  t.regex(mistakeBefore('evicted', []) ?? '', /there is no file/);
  t.is(mistakeBefore('as-is', partly), undefined);
  t.is(mistakeAfter('as-is', partly), undefined);
});

test('parseResidency throws for anything but a line per file', (t) => {
  t.deepEqual(parseResidency('4096 3000\n', ['/f']), [file(4096, 3000)]);
  for (const text of ['', '4096\n', 'a b\n', '1 2\n3 4\n']) {
    t.throws(() => parseResidency(text, ['/f']), { message: /fincore told/ });
  }
});
