import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import type { DriverContext } from './driver.ts';

/** A file that no recipe makes here: the user supplies it, or it is fetched by release. */
export interface SuppliedFile {
  /** Environment variable that may name its path. */
  readonly variable: string;
  /** Where it stands in the images folder otherwise. */
  readonly place: string;
  /** What it is, for the reason of its absence. */
  readonly what: string;
}

/**
 * Finds a supplied file: by its variable, else in the images folder.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE if it is in neither.
 */
export async function findSupplied(
  { imagesFolder }: Pick<DriverContext, 'imagesFolder'>,
  { variable, place, what }: SuppliedFile,
): Promise<string> {
  const named = process.env[variable];
  const path =
    named !== undefined && named !== ''
      ? named
      : imagesFolder === undefined
        ? undefined
        : join(imagesFolder, place);
  try {
    if (path === undefined) throw new Error('this agent has no folder of images');
    await access(path);
    return path;
  } catch (cause) {
    throw new LockstepError('SANDBOX_UNAVAILABLE', `${what} is not there: ${path ?? 'no path'}`, {
      cause,
      hint: `name its file in ${variable}, or put it into the images folder as ${place}`,
    });
  }
}
