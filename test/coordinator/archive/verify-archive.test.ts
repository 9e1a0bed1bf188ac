import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import { verifyArchive } from '../../../coordinator/archive/verify-archive.ts';
import type { ErrorCode } from '../../../schemas/errors.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { rejection } from '../../support/rejection.ts';
import { archivedRun, fileOf, readTar, recorded, relisted, writeTar } from './run-archive.ts';
import type { TarEntry } from './run-archive.ts';

test('verifyArchive says what is in a good archive', async (t) => {
  const { archive, manifest } = await archivedRun(t);
  const contents = await verifyArchive(archive);
  t.deepEqual(contents.manifest, manifest);
  t.is(contents.run.experiment.question, recorded.run.experiment.question);
  t.deepEqual(contents.plan, recorded.plan);
  t.is(contents.results, recorded.results.length);
});

const text = (content: string): Buffer => Buffer.from(content);
const entry = (
  name: string,
  content = 'x',
  header: Partial<TarEntry['header']> = {},
): TarEntry => ({
  header: { name, ...header },
  content: text(content),
});
const swapped = (all: TarEntry[], name: string, change: (content: string) => string): TarEntry[] =>
  all.map((one) =>
    one.header.name === name ? { ...one, content: text(change(one.content.toString())) } : one,
  );

/** What is done to the entries, and what the error then says. */
const WRONG: readonly [
  what: string,
  change: (all: TarEntry[]) => TarEntry[],
  message: RegExp,
  code?: ErrorCode,
][] = [
  ['one entry too many', (all) => [...all, entry('more.txt')], /"more\.txt" is not listed/],
  ['an entry twice', (all) => [...all, all[2]!], /"run\.json" is there twice or out of its order/],
  ['an entry too few', (all) => all.slice(0, -1), /results\.ndjson is missing; 4 of 5 files/],
  ['entries in another order', (all) => all.toSpliced(2, 2, all[3]!, all[2]!), /out of its order/],
  ['an absolute path', (all) => [...all, entry('/etc/x')], /"\/etc\/x" leads out of the archive/],
  ['a path upwards', (all) => [...all, entry('a/../../x')], /leads out of the archive/],
  [
    'a listed path upwards',
    (all) => relisted([...all, entry('../x')]),
    /archive\.json is not as it should be: files\.5\.path: leads out/,
  ],
  [
    'a link',
    (all) => [...all, entry('link', '', { type: 'symlink', linkname: '/etc' })],
    /"link" is no file but a symlink/,
  ],
  [
    'a device',
    (all) => [...all, entry('null', '', { type: 'character-device' })],
    /"null" is no file but a character-device/,
  ],
  [
    'a longer file',
    (all) => swapped(all, 'report.html', (content) => `${content} `),
    /report\.html has 38 bytes; 37 are listed/,
  ],
  [
    'a changed file',
    (all) => swapped(all, 'report.html', (content) => content.replace('report', 'repost')),
    /report\.html does not match its digest/,
  ],
  [
    'a changed list of files',
    (all) => swapped(all, 'archive.json', (c) => c.replace('"runId": "run', '"runId": "ran')),
    /archive\.json does not match its own digest/,
  ],
  [
    'a list of files twice',
    (all) => relisted([...all, all.at(-1)!]),
    /files: a path is listed twice/,
  ],
  ['no JSON in front', (all) => swapped(all, 'archive.json', () => '{'), /is no JSON text/],
  [
    'a newer format',
    (all) => relisted(all, (manifest) => ({ ...manifest, archiveVersion: 2 })),
    /is of archive format 2; this release reads 1/,
    'ARCHIVE_UNSUPPORTED',
  ],
  ['another tar archive', (all) => all.slice(1), /it begins with "README/, 'ARCHIVE_UNSUPPORTED'],
  ['nothing in it', () => [], /it is empty/, 'ARCHIVE_UNSUPPORTED'],
  [
    'a result that was changed before it was archived',
    (all) =>
      relisted(swapped(all, 'results.ndjson', (c) => c.replace('"status":"ok"', '"status":1'))),
    /results\.ndjson line 1: its checksum does not match/,
  ],
  [
    'results that were taken out before',
    (all) => relisted(swapped(all, 'results.ndjson', (c) => c.slice(c.indexOf('\n') + 1))),
    /results\.ndjson: has \d+ bytes and \d+ whole lines; when the run was recorded/,
  ],
  [
    'no record of the run',
    (all) => relisted(all.filter(({ header }) => header.name !== 'run.json')),
    /run\.json: is missing, or comes after plan\.json/,
  ],
  [
    'no plan',
    (all) => relisted(all.filter(({ header }) => header.name !== 'plan.json')),
    /plan\.json: is missing/,
  ],
  [
    'another run than it says',
    (all) => relisted(all, (manifest) => ({ ...manifest, runId: 'run-other' })),
    /run\.json: is of run run-fixture, and the archive of run-other/,
  ],
];

for (const [what, change, message, code] of WRONG) {
  test(`an archive with ${what} is refused, and the error says which file and what`, async (t) => {
    const { archive } = await archivedRun(t);
    await writeTar(archive, change(await readTar(archive)));
    const error = await rejection(verifyArchive(archive));
    t.is(error.code, code ?? 'ARCHIVE_DAMAGED', error.message);
    t.regex(error.message, message);
    t.true(error.message.startsWith(archive));
    t.truthy(error.hint);
  });
}

test('a truncated archive is named as such', async (t) => {
  const { archive } = await archivedRun(t);
  const bytes = await readFile(archive);
  await writeFile(archive, bytes.subarray(0, bytes.length - 9));
  const error = await rejection(verifyArchive(archive));
  t.is(error.code, 'ARCHIVE_DAMAGED');
  t.regex(error.message, /is cut off: its compressed data ends early/);
});

test('what follows the end of an archive is refused', async (t) => {
  const { archive } = await archivedRun(t);
  await writeFile(archive, Buffer.concat([await readFile(archive), text('more')]));
  t.regex((await rejection(verifyArchive(archive))).message, /something follows the end/);
});

test('a small file that unpacks to much more than it lists is refused early', async (t) => {
  const { archive } = await archivedRun(t);
  const tar = gunzipSync(await readFile(archive));
  await writeFile(archive, gzipSync(Buffer.concat([tar, Buffer.alloc(64 * 1024 * 1024)])));
  const error = await rejection(verifyArchive(archive));
  t.is(error.code, 'ARCHIVE_DAMAGED');
  t.regex(error.message, /unpacks to more than its list of files says/);
});

test('a file that is no archive is refused as such, and one that is missing too', async (t) => {
  const foreign = await fileOf(t, 'language,runtime\nGo,docker\n');
  t.is((await rejection(verifyArchive(foreign))).code, 'ARCHIVE_UNSUPPORTED');
  t.is((await rejection(verifyArchive(await fileOf(t, '')))).code, 'ARCHIVE_UNSUPPORTED');
  const compressed = await fileOf(t, gzipSync('some text'));
  t.is((await rejection(verifyArchive(compressed))).code, 'ARCHIVE_DAMAGED');
  t.is((await rejection(verifyArchive(`${foreign}.not-there`))).code, 'NOT_FOUND');
});

test('whatever happens to the bytes of an archive, it is refused or still says the same', async (t) => {
  const { archive } = await archivedRun(t);
  const bytes = await readFile(archive);
  const expected = await verifyArchive(archive);
  const compressed = fc.boolean();
  const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(compressed, place, fc.nat(7), fc.boolean(), async (outer, at, bit, isCut) => {
      const content = outer ? bytes : gunzipSync(bytes);
      const index = Math.floor(at * content.length);
      const changed = isCut ? content.subarray(0, index) : Buffer.from(content);
      if (!isCut) changed[index]! ^= 1 << bit;
      await writeFile(archive, outer ? changed : gzipSync(changed));
      try {
        assert.deepEqual(await verifyArchive(archive), expected);
      } catch (error) {
        assert(error instanceof LockstepError && error.code.startsWith('ARCHIVE_'), String(error));
        refused += 1;
      }
    }),
    { numRuns: 150, seed: 4, includeErrorInReport: true },
  );
  t.true(refused > 100, String(refused));
});
