import { createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Architecture } from '../../schemas/artefact.ts';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import { runProgram } from '../functions/external-program.ts';
import { DigestLock, digestOfFile } from './digest-lock.ts';
import type { SuppliedFile } from './supplied.ts';

const DOWNLOAD_TIMEOUT_MS = 300_000;
const DOWNLOAD_BYTES_MAX = 512 * 1024 * 1024;
const UNPACK_TIMEOUT_MS = 120_000;

/**
 * Downloads the release of a file to its place in the images folder. What was downloaded first is
 * on record from then on, and what differs is not kept.
 *
 * @throws LockstepError TOOL_MISSING if it can't be had, ARTEFACT_CORRUPT if it is not what it was.
 */
export async function fetchRelease(
  file: SuppliedFile,
  options: { imagesFolder: string; architecture: Architecture; signal?: AbortSignal },
): Promise<void> {
  const { architecture, imagesFolder } = options;
  const url = file.release?.urls[architecture];
  if (url === undefined) throw notToBeHad(file, `no release is known for ${architecture}`);
  await mkdir(imagesFolder, { recursive: true });
  const work = await mkdtemp(join(imagesFolder, '.fetch-'));
  try {
    const downloaded = join(work, 'download');
    await download(url, downloaded, file, options.signal);
    const lock = await DigestLock.open(imagesFolder);
    await lock.check(url, { digest: await digestOfFile(downloaded), origin: url });
    const member = file.release?.member?.[architecture];
    if (member !== undefined) {
      const words = ['-xf', downloaded, '-C', work, '--no-same-owner', '--', member];
      await runProgram('tar', words, { timeoutMs: UNPACK_TIMEOUT_MS });
    }
    const whole = member === undefined ? downloaded : join(work, member);
    await chmod(whole, file.isProgram === true ? 0o755 : 0o644);
    await lock.check(file.place, { digest: await digestOfFile(whole), origin: url });
    const target = join(imagesFolder, file.place);
    await mkdir(dirname(target), { recursive: true });
    await rename(whole, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function download(
  url: string,
  target: string,
  file: SuppliedFile,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    const limit = AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS);
    const response = await fetch(url, {
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    });
    if (!response.ok || response.body === null) {
      throw new Error(`the server answered ${response.status}`);
    }
    const body = Readable.fromWeb(response.body);
    await pipeline(body, atMost(DOWNLOAD_BYTES_MAX), createWriteStream(target));
  } catch (error) {
    const cause = (error as { cause?: unknown }).cause ?? error;
    throw notToBeHad(file, `${url}: ${errorMessageOf(cause)}`);
  }
}

function atMost(bytesMax: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      bytes += chunk.length;
      if (bytes > bytesMax) done(new Error(`it is over ${bytesMax} bytes`));
      else done(null, chunk);
    },
  });
}

function notToBeHad(file: SuppliedFile, reason: string): LockstepError {
  return new LockstepError('TOOL_MISSING', `${file.what} could not be downloaded: ${reason}`, {
    hint:
      `Put it into the images folder as ${file.place}, or name its path in ${file.variable}. ` +
      `It comes from ${file.source}.`,
  });
}
