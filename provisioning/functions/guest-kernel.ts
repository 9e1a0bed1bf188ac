import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtefactFile } from '../../schemas/artefact.ts';
import { errorMessageOf } from '../../schemas/errors.ts';
import { keepFile } from './artefact-recipe.ts';
import type { ArtefactRecipe } from './artefact-recipe.ts';
import { runProgram } from './external-program.ts';

const LZ4_LEGACY_MAGIC = Buffer.from([0x02, 0x21, 0x4c, 0x18]);
const SETUP_MAGIC = Buffer.from('HdrS');
const TIMEOUT_MS = 60_000;

/**
 * The kernel for microVM guests: decompressed where that is possible, because a guest without
 * hardware virtualisation saves a tenth of its boot by it, and the modules in the order to load.
 *
 * @param kernelFolder holds `vmlinuz` and `modules/NN-name.ko`.
 */
export function guestKernel(kernelFolder: string, version: string): ArtefactRecipe {
  const moduleFolder = join(kernelFolder, 'modules');
  return {
    name: 'guest-kernel',
    async readInputs() {
      const { size, mtimeMs } = await stat(join(kernelFolder, 'vmlinuz'));
      const names = (await readdir(moduleFolder)).toSorted();
      const lz4 = await readLz4Version();
      return [version, `${size} ${mtimeMs}`, lz4 ?? 'no lz4', ...names].join('\0');
    },
    async make(cache, workFolder) {
      const packed = join(kernelFolder, 'vmlinuz');
      const unpacked = await unpackKernel(packed, workFolder);
      const files: ArtefactFile[] = [];
      for (const name of (await readdir(moduleFolder)).toSorted()) {
        const place = { path: `/modules/${name}`, mode: 0o444 } as const;
        files.push(await keepFile(cache, join(moduleFolder, name), place));
      }
      const path = unpacked === undefined ? '/vmlinuz' : '/vmlinux';
      files.push(await keepFile(cache, unpacked ?? packed, { path, mode: 0o444 }));
      return {
        kind: 'guest-kernel',
        name: 'guest-kernel',
        files,
        entry: [],
        staticBinary: false,
        toolchain: { kernel: version },
      };
    },
  };
}

/** A compressed kernel inside a bzImage. */
export interface PackedKernel {
  readonly stream: Buffer;
  /** Size of the kernel once decompressed, in bytes. */
  readonly sizeBytes: number;
}

/**
 * The LZ4 stream (legacy frame) in a bzImage: the image's header says where its payload begins and
 * ends, and the payload's last four bytes are the decompressed size. Absent if the image is
 * compressed in another way or not at all. Source: the kernel's Documentation/arch/x86/boot.rst.
 */
export function findPackedKernel(image: Buffer): PackedKernel | undefined {
  if (image.length < 0x250 || !image.subarray(0x202, 0x206).equals(SETUP_MAGIC)) return undefined;
  const start = (image.readUInt8(0x1f1) + 1) * 512 + image.readUInt32LE(0x248);
  const end = start + image.readUInt32LE(0x24c) - 4;
  if (end <= start || end + 4 > image.length) return undefined;
  const stream = image.subarray(start, end);
  if (!stream.subarray(0, 4).equals(LZ4_LEGACY_MAGIC)) return undefined;
  return { stream, sizeBytes: image.readUInt32LE(end) };
}

/** Decompresses a kernel; absent if that is not possible here, and the packed one has to do. */
async function unpackKernel(path: string, workFolder: string): Promise<string | undefined> {
  const kernel = findPackedKernel(await readFile(path));
  if (kernel === undefined || (await readLz4Version()) === undefined) return undefined;
  const packed = join(workFolder, 'vmlinux.lz4');
  const unpacked = join(workFolder, 'vmlinux');
  await writeFile(packed, kernel.stream);
  try {
    await runProgram('lz4', ['-d', '-f', '-q', packed, unpacked], { timeoutMs: TIMEOUT_MS });
  } catch (error) {
    process.stderr.write(`functions: the kernel stays packed: ${errorMessageOf(error)}\n`);
    return undefined;
  }
  return (await stat(unpacked)).size === kernel.sizeBytes ? unpacked : undefined;
}

async function readLz4Version(): Promise<string | undefined> {
  const words = ['--version'];
  return runProgram('lz4', words, { timeoutMs: TIMEOUT_MS }).catch(() => undefined);
}
