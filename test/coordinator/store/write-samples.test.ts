import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import fc from 'fast-check';
import { withCheck } from '../../../coordinator/recording/checked-json.ts';
import type { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import { openDatabase } from '../../../coordinator/store/duckdb.ts';
import { readManifest } from '../../../coordinator/store/manifest.ts';
import {
  attributesText,
  parseAttributes,
  SAMPLE_COLUMNS,
} from '../../../coordinator/store/sample-columns.ts';
import { writeParquet } from '../../../coordinator/store/write-parquet.ts';
import { writeSamples } from '../../../coordinator/store/write-samples.ts';
import type { SampleBlock, SampleGroup } from '../../../schemas/telemetry.ts';
import { rejection } from '../../support/rejection.ts';
import { makeRun } from '../../support/run-fixture.ts';
import { blockJson, makeBlock, makeReport, partOf } from '../../support/sample-blocks.ts';
import { recordRun, temporaryData } from '../../support/temporary-run.ts';

const FIXTURE = makeRun({ sandboxes: ['process', 'runc'], repetitions: 2, agentsPerHost: [1, 1] });
const PLACES = new Map(FIXTURE.plan.trials.map(({ trialId }, place) => [trialId, place]));

async function started(t: ExecutionContext, telemetry?: object): Promise<RunFolder> {
  const results = FIXTURE.results.map((result) => ({ ...result, ...telemetry }));
  return recordRun(await temporaryData(t), { ...FIXTURE, results });
}

async function writeBlocks(folder: RunFolder, blocks: readonly SampleBlock[]): Promise<void> {
  const lines = blocks.map((block) => `${withCheck(blockJson(block))}\n`);
  await writeFile(folder.path('samples.ndjson'), lines.join(''));
}

async function select(sql: string): Promise<unknown[][]> {
  const database = await openDatabase({ memoryMb: 200 });
  try {
    const connection = await database.connect();
    return (await connection.runAndReadAll(sql)).getRowsJson();
  } finally {
    database.close();
  }
}

/** All rows of samples.parquet, in the order of the file. */
function rowsOf(folder: RunFolder): Promise<unknown[][]> {
  return select(`FROM read_parquet('${folder.path('samples.parquet')}')`);
}

/** The rows that blocks must give, worked out in another way: row by row, and sorted. */
function expectedRows(blocks: readonly SampleBlock[]): unknown[][] {
  const distinct = new Map<string, SampleBlock>();
  for (const block of blocks) {
    const { trialId, attempt, deviceId, sequence } = block;
    const key = `${trialId}/${attempt}/${deviceId}/${sequence}`;
    if (!distinct.has(key)) distinct.set(key, block);
  }
  const rows = [...distinct.values()].flatMap(({ trialId, attempt, deviceId, groups }) =>
    groups.flatMap(({ source, instance = null, firstMonoNs, stepsNs, series }) =>
      series.flatMap(({ metric, unit, attributes, values }) => {
        let atMonoNs = firstMonoNs;
        return values.map((value, index) => {
          if (index > 0) atMonoNs += BigInt(stepsNs[index - 1]!);
          const text = attributesText(attributes) ?? null;
          const name = [trialId, String(attempt), deviceId, instance, source, metric, text, unit];
          return [...name, String(atMonoNs), value];
        });
      }),
    ),
  );
  const sortable = (row: unknown[]): unknown[] => [PLACES.get(String(row[0])), ...row];
  return rows.toSorted((a, b) => compareRows(sortable(a), sortable(b)));
}

function compareRows(a: unknown[], b: unknown[]): number {
  for (const [index, left] of a.entries()) {
    const right = b[index];
    if (left === right) continue;
    if (left === null || left === undefined) return 1;
    if (right === null || right === undefined) return -1;
    if (index === 9) return BigInt(left as string) < BigInt(right as string) ? -1 : 1;
    if (typeof left === 'number') return left - Number(right);
    // As the database has texts: by their UTF-8.
    return Buffer.compare(Buffer.from(left as string), Buffer.from(right as string));
  }
  return 0;
}

const group = fc
  .record({
    source: fc.constantFrom<SampleGroup['source']>('cgroup-cpu', 'host-cpu', 'temperature'),
    instance: fc.option(fc.nat({ max: 2 }), { nil: undefined }),
    firstMonoNs: fc.bigInt({ min: 0n, max: 2n ** 62n }),
    stepsNs: fc.array(fc.nat({ max: 2_000_000_000 }), { maxLength: 5 }),
  })
  .chain(({ instance, ...shape }) => {
    const value = fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).map((v) => v + 0));
    const length = shape.stepsNs.length + 1;
    const series = fc.record({
      metric: fc.constantFrom('m1', 'm2', 'é', '𝒳', '\uffee'),
      unit: fc.constantFrom('s', 'By'),
      attributes: fc.constantFrom<Record<string, string>>(
        { 'cpu.mode': 'user', a: ',=\\' },
        { a: '' },
      ),
      values: fc.array(value, { minLength: length, maxLength: length }),
    });
    const all = fc.uniqueArray(series, {
      maxLength: 4,
      selector: ({ metric, unit, attributes }) => JSON.stringify([metric, unit, attributes]),
    });
    return all.map((own): SampleGroup => ({
      ...shape,
      ...(instance === undefined ? {} : { instance }),
      series: own,
    }));
  });

/** Blocks of the run whose instants differ from block to block, so that rows have one order. */
const someBlocks = fc
  .array(
    fc.record({
      result: fc.constantFrom(...FIXTURE.results),
      attempt: fc.constantFrom(1, 2),
      sequence: fc.nat({ max: 3 }),
      groups: fc.array(group, { maxLength: 3 }),
    }),
    { maxLength: 8 },
  )
  .map((parts) =>
    parts.map(({ result, attempt, sequence, groups }): SampleBlock => ({
      ...makeBlock({ ...partOf(result), attempt }, { sequence }),
      groups,
    })),
  );

test('writeSamples gives each series of any blocks, in any order and repeated, in one order', async (t) => {
  const folder = await started(t);
  await fc.assert(
    fc.asyncProperty(
      someBlocks,
      fc.array(fc.nat()),
      fc.constantFrom(undefined, 3),
      async (blocks, repeated, rowsMax) => {
        const copies = repeated.flatMap((place) => blocks[place % blocks.length] ?? []);
        await writeBlocks(folder, [...blocks, ...copies]);
        const { counts, rows } = await written(folder, rowsMax);
        const expected = expectedRows(blocks);
        const distinct = new Set(blocks.map((one) => blockJson({ ...one, groups: [] }))).size;
        assert.equal(counts?.blocks, distinct);
        assert.equal(counts.rows, expected.length);
        assert.deepEqual(counts.damage, []);
        assert.equal(counts.duplicates, blocks.length + copies.length - distinct);
        // Values at one instant of a series may stand in any order.
        assert.deepEqual(rows.toSorted(compareAll), expected.toSorted(compareAll));
        const names = (all: unknown[][]) => all.map((row) => row.slice(0, 9));
        assert.deepEqual(names(rows), names(expected));
      },
    ),
    { numRuns: 25, includeErrorInReport: true },
  );
  t.pass();
});

function compareAll(a: unknown[], b: unknown[]): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}

/** Writes samples.parquet alone. */
async function written(folder: RunFolder, rowsMax?: number) {
  const database = await openDatabase({ memoryMb: 200, threads: 1 });
  try {
    const connection = await database.connect();
    await connection.run(
      `CREATE TABLE results (line BIGINT, trial VARCHAR, attempt BIGINT, device VARCHAR,
         telemetryBlocks BIGINT)`,
    );
    await connection.run('CREATE TABLE dropped (line BIGINT)');
    const counts = await writeSamples(
      database,
      { ...FIXTURE, folder },
      {
        temporary: folder.folder,
        path: folder.path('samples.parquet'),
        options: 'FORMAT parquet',
        ...(rowsMax === undefined ? {} : { rowsMax }),
      },
    );
    return { counts, rows: await rowsOf(folder) };
  } finally {
    database.close();
  }
}

test('writeSamples of damaged lines leaves out what is damaged, and counts it', async (t) => {
  const folder = await started(t);
  const blocks = FIXTURE.results.map((result) => makeBlock(partOf(result), { rounds: 2 }));
  const stranger = { ...blocks[0]!, deviceId: 'stranger', sequence: 7 };
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), async (at, by, flip) => {
      await writeBlocks(folder, [...blocks, stranger]);
      const bytes = await readFile(folder.path('samples.ndjson'));
      const lines = bytes.toString('latin1').split('\n');
      const place = at % blocks.length;
      const from = Buffer.byteLength(lines.slice(0, place).join('\n'), 'latin1') + (place && 1);
      const damagedAt = from + (by % lines[place]!.length);
      bytes[damagedAt] = bytes[damagedAt]! ^ flip;
      // A line end within a line makes two of it.
      const more = bytes[damagedAt] === 0x0a ? 1 : 0;
      await writeFile(folder.path('samples.ndjson'), bytes);
      const { counts, rows } = await written(folder);
      assert.equal(counts?.damaged, 2 + more);
      assert.match(counts.damage[0]!, new RegExp(`^samples.ndjson line ${place + 1}: `));
      assert.deepEqual(rows, expectedRows(blocks.filter((_, index) => index !== place)));
    }),
    { numRuns: 15 },
  );
  t.pass();
});

test('samples that come late make the tables stale, and are in the next ones', async (t) => {
  const folder = await started(t, { telemetry: makeReport({ blocks: 2 }) });
  const [result] = FIXTURE.results;
  await writeBlocks(folder, [makeBlock(partOf(result!))]);
  const first = await writeParquet(folder.folder);
  const parts = FIXTURE.results.length;
  t.deepEqual(first.samples?.missing, { trials: parts, blocks: 2 * parts - 1 });
  t.deepEqual(await readManifest(folder.folder), first);
  await folder.appendSamples(blockJson(makeBlock(partOf(result!), { sequence: 1 })));
  t.is((await rejection(readManifest(folder.folder))).code, 'PARQUET_STALE');
  const second = await writeParquet(folder.folder);
  t.deepEqual(second.samples?.missing, { trials: parts - 1, blocks: 2 * parts - 2 });
  t.is((await rowsOf(folder)).length, 2 * 4 * 20);
});

test('the tables are refused if samples.ndjson or samples.parquet is another one', async (t) => {
  const folder = await started(t);
  await writeBlocks(folder, [makeBlock(partOf(FIXTURE.results[0]!))]);
  await writeParquet(folder.folder);
  for (const [name, code] of [
    ['samples.parquet', 'PARQUET_DAMAGED'],
    ['samples.ndjson', 'PARQUET_STALE'],
  ] as const) {
    const bytes = await readFile(folder.path(name));
    const changed = Buffer.from(bytes);
    changed[20] = changed[20]! ^ 1;
    await writeFile(folder.path(name), changed);
    t.is((await rejection(readManifest(folder.folder))).code, code, name);
    await writeFile(folder.path(name), bytes);
  }
  await t.notThrowsAsync(readManifest(folder.folder));
});

test('samples.parquet says what it was made of, and has the columns that are told', async (t) => {
  const folder = await started(t);
  await writeBlocks(folder, []);
  const { samples } = await writeParquet(folder.folder);
  t.like(samples, { blocks: 0, rows: 0 });
  const path = folder.path('samples.parquet');
  const columns = await select(`DESCRIBE FROM read_parquet('${path}')`);
  t.deepEqual(
    columns.map(([name, type]) => ({ name, type })),
    SAMPLE_COLUMNS,
  );
  const facts = await select(
    `SELECT key::VARCHAR, value::VARCHAR FROM parquet_kv_metadata('${path}')`,
  );
  t.like(Object.fromEntries(facts), {
    sourceFile: 'samples.ndjson',
    sourceSha256: samples?.source.sha256,
  });
});

test('a torn last line counts as damage once the run has ended, and not before', async (t) => {
  const folder = await started(t);
  await writeBlocks(folder, [makeBlock(partOf(FIXTURE.results[0]!))]);
  await appendFile(folder.path('samples.ndjson'), '{"protocol":1,');
  t.is((await writeParquet(folder.folder)).samples?.damaged, 1);
  await folder.writeRun({ ...FIXTURE.run, state: 'running' });
  t.is((await writeParquet(folder.folder)).samples?.damaged, 0);
});

test('samples that were cut off after the end of the run are told', async (t) => {
  const folder = await started(t);
  const blocks = FIXTURE.results.slice(0, 2).map((result) => makeBlock(partOf(result)));
  await writeBlocks(folder, blocks);
  await folder.writeRun(await folder.sealed(FIXTURE.run));
  await writeBlocks(folder, blocks.slice(0, 1));
  const { samples } = await writeParquet(folder.folder);
  t.regex(samples!.damage[0]!, /^samples\.ndjson: has \d+ bytes and 1 whole lines/);
});

test('devices that are throttled are found: now, or newly since boot', async (t) => {
  const folder = await started(t);
  const throttled = (place: number, since: string, values: (number | null)[]): SampleBlock => {
    const trial = FIXTURE.plan.trials[place]!;
    const result = FIXTURE.results.find(({ trialId }) => trialId === trial.trialId)!;
    const attributes = { 'lockstep.condition': 'under-voltage', 'lockstep.since': since };
    const series = [{ metric: 'lockstep.host.throttled', unit: '{condition}', attributes, values }];
    const steps = values.slice(1).map(() => 1);
    const times = { source: 'throttling', firstMonoNs: 1n, stepsNs: steps } as const;
    const sequence = since === 'boot' ? 1 : 0;
    return { ...makeBlock(partOf(result), { sequence }), groups: [{ ...times, series }] };
  };
  const seen = async (blocks: SampleBlock[]) => {
    await writeBlocks(folder, blocks);
    return (await written(folder)).counts?.throttled.map(({ condition, trials }) => [
      condition,
      trials,
    ]);
  };
  t.deepEqual(await seen([throttled(0, 'now', [0, null]), throttled(1, 'boot', [1, 1])]), []);
  t.deepEqual(await seen([throttled(0, 'now', [0, 1]), throttled(1, 'now', [1, null])]), [
    ['under-voltage', 2],
  ]);
  // Between two trials is new as well; it stays set, and is told once.
  const later = [0, 1, 2].map((place) => throttled(place, 'boot', place === 0 ? [0, 0] : [1, 1]));
  t.deepEqual(await seen(later), [['under-voltage since boot', 1]]);
});

test('attributesText tells attributes apart that differ, and parseAttributes reads it', (t) => {
  const attributes = fc.dictionary(
    fc.string({ unit: fc.constantFrom('a', '=', ',', '\\', 'é'), maxLength: 4 }),
    fc.string({ unit: fc.constantFrom('b', '=', ',', '\\', '𝒳'), maxLength: 4 }),
    { noNullPrototype: true, maxKeys: 4 },
  );
  fc.assert(
    fc.property(attributes, (one) => {
      const text = attributesText(one);
      const reversed = Object.fromEntries(Object.entries(one).toReversed());
      assert.equal(attributesText(reversed), text);
      assert.deepEqual(parseAttributes(text), one);
    }),
  );
  t.is(attributesText({ b: '2', a: '1' }), 'a=1,b=2');
  t.is(attributesText({}), undefined);
});

test('writeParquet of samples leaves nothing else behind', async (t) => {
  const folder = await started(t);
  await writeBlocks(folder, [makeBlock(partOf(FIXTURE.results[0]!))]);
  const before = await readdir(folder.folder);
  await writeParquet(folder.folder);
  const made = ['instances.parquet', 'parquet.json', 'results.parquet', 'samples.parquet'];
  t.deepEqual((await readdir(folder.folder)).toSorted(), [...before, ...made].toSorted());
});

test('writeParquet of samples that is told to stop leaves nothing behind', async (t) => {
  const folder = await started(t);
  await writeBlocks(
    folder,
    FIXTURE.results.map((result) => makeBlock(partOf(result), { rounds: 8000 })),
  );
  const before = await readdir(folder.folder);
  const stop = new AbortController();
  const writing = writeParquet(folder.folder, { signal: stop.signal });
  // The other tables come first.
  const isAtSamples = async (): Promise<boolean> => {
    const names = await readdir(folder.folder, { recursive: true });
    return names.some((name) => name.endsWith('/instances.parquet'));
  };
  while (!(await isAtSamples())) await delay(2);
  stop.abort();
  await t.throwsAsync(writing, { name: 'AbortError' });
  t.deepEqual(await readdir(folder.folder), before);
});
