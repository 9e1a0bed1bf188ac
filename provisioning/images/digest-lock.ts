import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { LockstepError } from '../../schemas/errors.ts';
import { Digest } from '../../schemas/units.ts';

/** What is on record of one file below the images folder. */
const Entry = z.object({
  digest: Digest,
  origin: z.string().max(1024).meta({
    description: 'URL that it was fetched from, `supplied by the user`, or what it was built of.',
  }),
});
const Entries = z.record(z.string().max(512), Entry);
export type LockEntry = z.output<typeof Entry>;

/**
 * The digests of everything in an images folder, as they were at the first sight: `lock.json` in
 * that folder. A file that is another later on is not used.
 */
export class DigestLock {
  readonly #path: string;
  readonly #entries: Map<string, LockEntry>;

  private constructor(path: string, entries: Map<string, LockEntry>) {
    this.#path = path;
    this.#entries = entries;
  }

  /**
   * Reads the record; there may be none yet.
   *
   * @throws LockstepError ARTEFACT_CORRUPT if it can't be understood: then nothing can be trusted.
   */
  static async open(imagesFolder: string): Promise<DigestLock> {
    const path = join(imagesFolder, 'lock.json');
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return new DigestLock(path, new Map());
    }
    try {
      return new DigestLock(path, new Map(Object.entries(Entries.parse(JSON.parse(text)))));
    } catch (cause) {
      throw new LockstepError('ARTEFACT_CORRUPT', `the record of digests ${path} is damaged`, {
        cause,
        hint: 'Restore it, or remove it together with the files beside it.',
      });
    }
  }

  /** All entries by place. */
  entries(): readonly (readonly [place: string, entry: LockEntry])[] {
    return [...this.#entries].toSorted(([left], [right]) => (left < right ? -1 : 1));
  }

  /** The entry of a place. Undefined if nothing was seen there yet. */
  at(place: string): LockEntry | undefined {
    return this.#entries.get(place);
  }

  /**
   * Compares a digest with the one on record; records it if there is none.
   *
   * @throws LockstepError ARTEFACT_CORRUPT if it differs.
   */
  async check(place: string, entry: LockEntry): Promise<void> {
    const known = this.#entries.get(place);
    if (known?.digest === entry.digest) return;
    if (known !== undefined) {
      throw new LockstepError(
        'ARTEFACT_CORRUPT',
        `${place} has the digest ${entry.digest}, and had ${known.digest} when first seen`,
        { hint: `If the change is meant, remove its entry from ${this.#path}.` },
      );
    }
    this.#entries.set(place, entry);
    await mkdir(dirname(this.#path), { recursive: true });
    const draft = `${this.#path}.${process.pid}.new`;
    await writeFile(draft, `${JSON.stringify(Object.fromEntries(this.entries()), null, 2)}\n`);
    await rename(draft, this.#path);
  }
}

/** SHA-256 of a file's content. */
export async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}
