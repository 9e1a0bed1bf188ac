import { mkdirSync, mkdtempSync, readFileSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { KeptFile, TEXT } from '../../../agent/collectors/kept-file.ts';

function textOf(file: KeptFile): string {
  const length = file.read();
  return typeof length === 'number' ? TEXT.toString('latin1', 0, length) : length;
}

function kept(t: ExecutionContext, path: string, inRecords = false): KeptFile {
  const file = new KeptFile(path, { inRecords });
  t.teardown(() => {
    file.close();
  });
  return file;
}

test('KeptFile reads what is in a file now, by the descriptor of the first reading', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-kept-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  const path = join(folder, 'counter');
  const file = kept(t, path);
  t.is(textOf(file), 'absent');
  writeFileSync(path, '1\n');
  t.is(textOf(file), '1\n');
  writeFileSync(path, '22\n');
  t.is(textOf(file), '22\n');
  file.close();
  t.is(textOf(file), 'ended');
});

test('KeptFile reads a file of records to its end, of which the kernel gives one page', (t) => {
  const path = '/proc/kallsyms';
  const whole = readFileSync(path, 'latin1');
  t.true(textOf(kept(t, path)).length <= 8192, 'one call would give all of it');
  const text = textOf(kept(t, path, true));
  t.is(text.length, Math.min(whole.length, TEXT.length));
  t.true(whole.startsWith(text));
});

test('KeptFile says why a file can not be opened', (t) => {
  t.regex(kept(t, '/proc/no-such-file').open() ?? '', /^ENOENT/);
  t.is(kept(t, '/proc/stat').open(), undefined);
});

test('KeptFile takes what has nothing to read for absent, and goes on', (t) => {
  // A folder opens but has no text.
  const file = kept(t, '/proc');
  t.is(textOf(file), 'absent');
  t.is(textOf(file), 'absent');
});

test('KeptFile ends with a control group that is removed, also if one of its name is made', (t) => {
  const folder = join('/sys/fs/cgroup/unified', `lockstep-kept-${process.pid}`);
  try {
    mkdirSync(folder);
  } catch (error) {
    t.log(`skipped: ${String(error)}`);
    t.pass();
    return;
  }
  const file = kept(t, join(folder, 'cgroup.events'));
  t.regex(textOf(file), /^populated 0/);
  rmdirSync(folder);
  t.is(textOf(file), 'ended');
  mkdirSync(folder);
  t.is(textOf(file), 'ended');
  rmdirSync(folder);
});
