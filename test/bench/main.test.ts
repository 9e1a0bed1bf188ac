import { execFile } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { BENCHMARKS } from './registry.ts';
import { formatTable } from './table.ts';

const MAIN = join(import.meta.dirname, 'main.ts');

function bench(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [MAIN, ...words],
      { timeout: 60_000 },
      (_, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, stdout, stderr });
      },
    );
  });
}

test('registry files each benchmark under its own name', (t) => {
  for (const [name, benchmark] of Object.entries(BENCHMARKS)) t.is(benchmark.name, name);
});

test('formatTable aligns numbers right, text left, and shows what is missing', (t) => {
  const table = formatTable({
    columns: ['name', 'medianMs'],
    rows: [
      ['a', 1.23456],
      ['longer', 100],
      ['b', undefined],
    ],
    notes: ['small'],
  });
  t.deepEqual(table, [
    'name    medianMs',
    'a          1.235',
    'longer       100',
    'b              -',
    'note: small',
  ]);
});

test('bench with an unknown name ends with 2 and the list', async (t) => {
  const { code, stdout, stderr } = await bench('constructor');
  t.is(code, 2);
  t.is(stdout, '');
  t.regex(stderr, /unknown benchmark "constructor"\n {2}[a-z]/);
});

test('bench without a name or with a wrong option ends with 2 and the usage', async (t) => {
  for (const words of [[], ['plan', '--wrong']]) {
    const { code, stderr } = await bench(...words);
    t.is(code, 2);
    t.regex(stderr, /usage: npm run bench/);
  }
});

test('bench --list names every benchmark', async (t) => {
  const { code, stdout } = await bench('--list');
  t.is(code, 0);
  t.is(stdout.trim().split('\n').length, Object.keys(BENCHMARKS).length);
});

test('bench --json writes one document with rows, machine and versions', async (t) => {
  const { code, stdout } = await bench('plan', '--json');
  t.is(code, 0);
  const document = JSON.parse(stdout) as Record<string, unknown>;
  t.is(document['benchmark'], 'plan');
  t.like(document['machine'], { architecture: process.arch });
  t.like(document['versions'], { node: process.version });
  const rows = document['rows'] as Record<string, number>[];
  t.deepEqual(
    rows.map((row) => row['trials']),
    [120, 1200, 12_000],
  );
  t.true(rows.every((row) => row['medianMs']! > 0));
});
