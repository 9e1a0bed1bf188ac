import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { checkDigest, fetchArchive } from '../../../provisioning/bootstrap/official-release.mjs';

interface Site {
  readonly folder: string;
  readonly toolsFolder: string;
  /** What the server sends; undefined is answered with 404. */
  content: Buffer | undefined;
  fetch(): Promise<void>;
}

/** A server on loopback with one archive, and a folder to fetch it to. */
async function withSite(run: (site: Site) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
  const toolsFolder = join(folder, 'tools');
  await mkdir(toolsFolder);
  const server = createServer((_, response) => {
    if (site.content === undefined) response.statusCode = 404;
    response.end(site.content);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const site: Site = {
    folder,
    toolsFolder,
    content: undefined,
    fetch: () =>
      fetchArchive({
        url: `http://127.0.0.1:${port}/tool.tar.gz`,
        archiveName: 'tool.tar.gz',
        innerFolder: 'tool',
        target: join(toolsFolder, 'tool-1'),
        toolsFolder,
      }),
  };
  try {
    await run(site);
  } finally {
    server.close();
    server.closeAllConnections();
    await rm(folder, { recursive: true, force: true });
  }
}

async function pack(folder: string, text: string): Promise<Buffer> {
  await mkdir(join(folder, 'tool'), { recursive: true });
  await writeFile(join(folder, 'tool', 'program'), text);
  return execFileSync('tar', ['-czf', '-', '-C', folder, 'tool']);
}

test('fetchArchive records the digest at the first download and unpacks', async (t) => {
  await withSite(async (site) => {
    site.content = await pack(site.folder, 'one');
    await site.fetch();
    t.is(await readFile(join(site.toolsFolder, 'tool-1', 'program'), 'utf8'), 'one');
    const record = await readFile(join(site.toolsFolder, 'digests.json'), 'utf8');
    t.regex(record, /"tool\.tar\.gz": "sha256:[0-9a-f]{64}"/);
    t.deepEqual((await readdir(site.toolsFolder)).toSorted(), ['digests.json', 'tool-1']);
    await site.fetch();
    t.is(await readFile(join(site.toolsFolder, 'digests.json'), 'utf8'), record);
  });
});

test('fetchArchive refuses another file under the same name', async (t) => {
  await withSite(async (site) => {
    site.content = await pack(site.folder, 'one');
    await site.fetch();
    site.content = await pack(site.folder, 'two');
    await t.throwsAsync(site.fetch(), { message: /not the same file/ });
    t.is(await readFile(join(site.toolsFolder, 'tool-1', 'program'), 'utf8'), 'one');
  });
});

test('fetchArchive says what the server answered, and records nothing', async (t) => {
  await withSite(async (site) => {
    await t.throwsAsync(site.fetch(), { message: /could not be downloaded: .*404/ });
    t.deepEqual(await readdir(site.toolsFolder), []);
  });
});

test('fetchArchive leaves nothing of an archive that cannot be unpacked', async (t) => {
  await withSite(async (site) => {
    site.content = Buffer.from('no archive');
    await t.throwsAsync(site.fetch(), { message: /tar/ });
    t.deepEqual(await readdir(site.toolsFolder), ['digests.json']);
  });
});

test('checkDigest trusts nothing when its record is damaged', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
  const path = join(folder, 'digests.json');
  await writeFile(path, '{"tool');
  t.throws(
    () => {
      checkDigest(path, 'tool', Buffer.from('x'));
    },
    { message: /damaged/ },
  );
  await rm(folder, { recursive: true, force: true });
});
