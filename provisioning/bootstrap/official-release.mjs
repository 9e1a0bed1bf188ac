import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.mjs';
import { readIfThere } from './machine.mjs';
import { installFolder, makeWorkFolder } from './private-packages.mjs';

const RELEASES = 'https://github.com/nats-io/nats-server/releases/download';
const DOWNLOAD_TIMEOUT_MS = 180_000;
const DOWNLOAD_BYTES_MAX = 64 * 1024 * 1024;
const UNPACK_TIMEOUT_MS = 60_000;

/**
 * Downloads the official server of one version into `.tools`. The digest of the archive is
 * recorded at the first download and checked at every later one.
 *
 * @throws Error that says why it could not be had.
 */
export async function fetchOfficialNatsServer(toolsFolder, version, debianArchitecture) {
  const name = `nats-server-v${version}-linux-${debianArchitecture}`;
  await fetchArchive({
    url: `${RELEASES}/v${version}/${name}.tar.gz`,
    archiveName: `${name}.tar.gz`,
    innerFolder: name,
    target: join(toolsFolder, `nats-server-${version}-official`),
    toolsFolder,
  });
}

/**
 * Downloads and unpacks an archive; see {@link fetchOfficialNatsServer}.
 *
 * @param {{url: string, archiveName: string, innerFolder: string, target: string,
 *   toolsFolder: string}} archive
 */
export async function fetchArchive(archive) {
  const bytes = await download(archive.url);
  checkDigest(join(archive.toolsFolder, 'digests.json'), archive.archiveName, bytes);
  const work = makeWorkFolder(archive.toolsFolder);
  try {
    const path = join(work, 'archive.tar.gz');
    writeFileSync(path, bytes);
    const words = ['-xzf', path, '-C', work, '--no-same-owner', archive.innerFolder];
    const unpacked = await runCommand('tar', words, { timeoutMs: UNPACK_TIMEOUT_MS });
    if (!unpacked.ok) throw new Error(unpacked.reason);
    installFolder(join(work, archive.innerFolder), archive.target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Compares the SHA-256 of some bytes with the one on record; records it if there is none yet.
 *
 * @throws Error if it differs, or if the record cannot be read: then nothing can be trusted.
 */
export function checkDigest(recordPath, name, bytes) {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const record = readRecord(recordPath);
  const known = record[name];
  if (known === digest) return;
  if (known !== undefined) {
    throw new Error(
      `${name} has the digest ${digest}, but at its first download it had ${known} ` +
        `(${recordPath}): it is not the same file, and is not used`,
    );
  }
  const draft = `${recordPath}.new`;
  writeFileSync(draft, `${JSON.stringify({ ...record, [name]: digest }, null, 2)}\n`);
  renameSync(draft, recordPath);
}

function readRecord(path) {
  if (!existsSync(path)) return {};
  try {
    const record = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof record === 'object' && record !== null) return record;
  } catch {
    // Said below.
  }
  throw new Error(`the record of digests ${path} is damaged: ${readIfThere(path)?.slice(0, 80)}`);
}

async function download(url) {
  let response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS) });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const chunks = [];
    let size = 0;
    for await (const chunk of response.body) {
      size += chunk.length;
      if (size > DOWNLOAD_BYTES_MAX) throw new Error(`it is over ${DOWNLOAD_BYTES_MAX} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    throw new Error(`${url} could not be downloaded: ${error.cause?.message ?? error.message}`, {
      cause: error,
    });
  }
}
