import { readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import {
  builtArtefacts,
  call,
  expectReady,
  withFunction,
} from '../../functions/running-function.ts';
import type { Answer, Running } from '../../functions/running-function.ts';

const STORED_BYTES = 52_438_506;
const UNPACKED_BYTES = 10 * 5 * 1024 * 1024;

type Ask = (path: string) => Promise<Answer>;

/** Runs the function with a folder to work in. */
async function withStudy(
  t: ExecutionContext,
  host: string,
  use: (ask: Ask, running: Running, workFolder: string) => Promise<void>,
): Promise<void> {
  const { onReady, called } = expectReady();
  const workFolder = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
  try {
    const extraWords = ['--work', workFolder];
    await withFunction(t, 'study-go', { host, onReady, extraWords }, async (running) => {
      await called;
      await use((path) => call(running, path), running, workFolder);
    });
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
}

function durationNs({ headers }: Answer): number {
  return Number(headers['lockstep-duration-ns']);
}

function fieldKib(running: Running, name: string): number {
  const status = readFileSync(`/proc/${running.child.pid!}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)![1]);
}

test('study-go computes, and says how long the work alone took', async (t) => {
  await withStudy(t, '127.0.0.30', async (ask) => {
    const answers: [path: string, body: string | RegExp][] = [
      ['/fib?n=1', '1\n'],
      ['/fib?n=94', '1293530146158671551\n'],
      ['/fft?n=4096', '1.000000000\n'],
      ['/matrix?n=100', /^-?\d+\.\d{6}\n$/],
    ];
    for (const [path, body] of answers) {
      const answer = await ask(path);
      t.is(answer.status, 200, path);
      if (typeof body === 'string') t.is(answer.body.toString(), body, path);
      else t.regex(answer.body.toString(), body, path);
      t.true(durationNs(answer) > 0, path);
    }
    const [small, large] = [await ask('/fib?n=1000'), await ask('/fib?n=100000000')];
    t.true(durationNs(large) > 100 * durationNs(small), 'more work takes longer');
    t.deepEqual((await ask('/matrix?n=100')).body, (await ask('/matrix?n=100')).body);
  });
});

test('study-go touches the memory that it is asked to take', async (t) => {
  await withStudy(t, '127.0.0.31', async (ask, running) => {
    const beforeKib = fieldKib(running, 'VmHWM');
    const answer = await ask('/alloc?mib=50');
    t.is(answer.body.toString(), '12800\n');
    t.true(durationNs(answer) > 0);
    const grownKib = fieldKib(running, 'VmHWM') - beforeKib;
    t.true(grownKib > 45 * 1024, `resident memory grew by ${grownKib} KiB`);
  });
});

test('study-go reads, serves and unpacks its archives again and again', async (t) => {
  await withStudy(t, '127.0.0.32', async (ask, running, workFolder) => {
    t.is((await ask('/read')).body.toString(), `${STORED_BYTES}\n`);
    const { body, headers } = await ask('/static');
    t.is(body.byteLength, STORED_BYTES);
    t.is(headers['content-length'], `${STORED_BYTES}`);
    const openBefore = readdirSync(`/proc/${running.child.pid!}/fd`).length;
    for (const [archive, folder] of [
      ['stored', 'random'],
      ['compressible', 'text'],
    ]) {
      const answer = await ask(`/unzip?archive=${archive}`);
      t.is(answer.body.toString(), `${UNPACKED_BYTES}\n`);
      t.true(durationNs(answer) > 0);
      const unpacked = join(workFolder, 'unzipped');
      t.deepEqual(readdirSync(unpacked), [folder]);
      t.is(readdirSync(join(unpacked, folder!)).length, 10);
    }
    const open = readdirSync(`/proc/${running.child.pid!}/fd`).length;
    t.true(open <= openBefore, `${open} descriptors, ${openBefore} before`);
    const stored = readFileSync(join(workFolder, 'unzipped', 'text', '1'));
    t.regex(stored.subarray(0, 200).toString(), /^[a-z]+( [a-z]+){11}\.\n/);
  });
});

test('study-go answers payloads of the size that is asked for', async (t) => {
  await withStudy(t, '127.0.0.33', async (ask) => {
    for (const size of [1, 1024, 65_536, 65_537, 3_000_000]) {
      const { body, headers } = await ask(`/payload?bytes=${size}`);
      t.is(body.byteLength, size);
      t.is(headers['content-length'], `${size}`);
    }
  });
});

test('study-go answers 400 with a text to what it cannot do, and lives on', async (t) => {
  await withStudy(t, '127.0.0.34', async (ask) => {
    const queries = ['/fib?n=0', '/fib?n=-1', '/fib?n=99999999999', '/fib?n=x', '/fib?m=1'];
    queries.push('/fib?n=1&n=2', '/fib?n', '/fft?n=1000', '/fft?n=16777216', '/matrix?n=2049');
    queries.push('/alloc?mib=0', '/alloc?mib=65537', '/unzip?archive=other', '/payload?bytes=1e3');
    queries.push('/unzip?archive=..%2Fstored', '/static?x=1', '/fib?n=%zz');
    for (const path of queries) {
      const answer = await ask(path);
      t.is(answer.status, 400, path);
      t.regex(answer.body.toString(), /\w+ .*\n/, path);
    }
    t.is((await ask('/hello')).status, 200);
  });
});

test('hello-go answers 404 with a text where it has no archive', async (t) => {
  const { onReady, called } = expectReady();
  const extraWords = ['--data', '/nonexistent'];
  const options = { host: '127.0.0.35', onReady, extraWords };
  await withFunction(t, 'hello-go', options, async (running) => {
    await called;
    for (const path of ['/read', '/unzip', '/unzip?archive=compressible', '/static']) {
      const answer = await call(running, path);
      t.is(answer.status, 404, path);
      t.regex(answer.body.toString(), /\.zip: no such file/);
    }
  });
});

test('study-go is the program of hello-go and two archives', async (t) => {
  const { 'hello-go': hello, 'study-go': study } = await builtArtefacts.names();
  if (hello === undefined || study === undefined) {
    t.log('skipped: no Go on this machine; run the set-up');
    t.pass();
    return;
  }
  const program = (await builtArtefacts.readManifest(hello)).files[0];
  const { files, entry, staticBinary } = await builtArtefacts.readManifest(study);
  t.deepEqual(
    files.map(({ path }) => path),
    ['/data/compressible.zip', '/data/stored.zip', '/function'],
  );
  t.deepEqual(files[2], program);
  t.is(files[1]!.sizeBytes, STORED_BYTES);
  const ratio = UNPACKED_BYTES / files[0]!.sizeBytes;
  t.true(ratio > 2.8 && ratio < 3.2, `text deflates ${ratio}:1`);
  t.true(staticBinary);
  t.deepEqual(entry, ['{root}/function', '--data', '{root}/data']);
});
