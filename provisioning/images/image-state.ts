import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { errorMessageOf } from '../../schemas/errors.ts';
import { DigestLock, digestOfFile } from './digest-lock.ts';
import type { LockEntry } from './digest-lock.ts';
import type { ImageForm } from './function-image.ts';
import { SANDBOX_NEEDS } from './sandbox-needs.ts';
import type { SandboxNeeds } from './sandbox-needs.ts';
import { suppliedFile } from './supplied.ts';
import type { SuppliedFile, SuppliedName } from './supplied.ts';

/** One thing that a kind of sandbox needs. */
export interface NeedState {
  readonly what: string;
  /** Path of it. Absent if it is not there. */
  readonly path?: string;
  /** As it is on record. Absent for what packages bring, and for what nobody recorded yet. */
  readonly digest?: string;
  /** How to get it. */
  readonly how: string;
}

/** How it stands with a kind of sandbox on this machine, as far as files tell. */
export interface SandboxState {
  readonly sandbox: string;
  /** Absent: the device makes an image for each sandbox. */
  readonly form?: ImageForm;
  readonly needs: readonly NeedState[];
  /** True if nothing is missing. Whether it works shows only when it is tried. */
  readonly isComplete: boolean;
}

/**
 * Looks what is there for the kinds of sandbox.
 *
 * @throws LockstepError ARTEFACT_CORRUPT if the record of digests is damaged.
 */
export async function lookAtSandboxes(
  imagesFolder: string,
  sandboxes: readonly string[] = Object.keys(SANDBOX_NEEDS),
): Promise<SandboxState[]> {
  const lock = await DigestLock.open(imagesFolder);
  const states: SandboxState[] = [];
  for (const sandbox of sandboxes) {
    const wanted = SANDBOX_NEEDS[sandbox];
    if (wanted === undefined) continue;
    const needs = await lookAtNeeds(wanted, imagesFolder, lock);
    states.push({
      sandbox,
      ...(wanted.form === undefined ? {} : { form: wanted.form }),
      needs,
      isComplete: needs.every(({ path }) => path !== undefined),
    });
  }
  return states;
}

async function lookAtNeeds(
  wanted: SandboxNeeds,
  imagesFolder: string,
  lock: DigestLock,
): Promise<NeedState[]> {
  const needs: NeedState[] = [];
  const { packages } = wanted;
  const install = packages.length === 0 ? 'see its documentation' : `apt: ${packages.join(' ')}`;
  for (const program of wanted.programs) {
    const path = await findProgram(program);
    needs.push({ what: program, ...(path === undefined ? {} : { path }), how: install });
  }
  for (const name of wanted.supplied) {
    const file = suppliedFile(name);
    const path = await findSuppliedFile(file, imagesFolder);
    const digest = lock.at(file.place)?.digest;
    needs.push({
      what: file.what,
      ...(path === undefined ? {} : { path }),
      ...(digest === undefined ? {} : { digest }),
      how: howToGet(name),
    });
  }
  if (wanted.needsKvm === true) {
    const path = (await isThere('/dev/kvm', constants.R_OK)) ? '/dev/kvm' : undefined;
    const how = 'hardware virtualisation, switched on in the firmware';
    needs.push({ what: 'KVM', ...(path === undefined ? {} : { path }), how });
  }
  return needs;
}

/** What somebody can do to get a supplied file. */
export function howToGet(name: SuppliedName): string {
  const { debianPackage, place, release, source, variable } = suppliedFile(name);
  return [
    ...(debianPackage === undefined ? [] : [`apt: ${debianPackage}`]),
    ...(release === undefined
      ? []
      : [`lockstep images build --download (release ${release.version})`]),
    `${variable}=PATH, or ${place} in the images folder (${source})`,
  ].join('; or ');
}

/** Where a supplied file is. Undefined if it is nowhere. */
export async function findSuppliedFile(
  { isProgram, onPath, place, variable }: SuppliedFile,
  imagesFolder: string,
): Promise<string | undefined> {
  const named = process.env[variable] ?? '';
  const path = named === '' ? join(imagesFolder, place) : named;
  const mode = isProgram === true ? constants.X_OK : constants.R_OK;
  if (await isThere(path, mode)) return path;
  return named === '' && onPath !== undefined ? findProgram(onPath) : undefined;
}

async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name);
    if (folder !== '' && (await isThere(path, constants.X_OK))) return path;
  }
  return undefined;
}

async function isThere(path: string, mode: number): Promise<boolean> {
  try {
    await access(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** What a second look at a file on record says. */
export interface VerifiedFile {
  readonly place: string;
  readonly origin: string;
  readonly isFine: boolean;
  /** What is wrong, or the digest. */
  readonly detail: string;
}

/** Reads everything on record in an images folder again and compares the digests. */
export async function verifyImages(imagesFolder: string): Promise<VerifiedFile[]> {
  const lock = await DigestLock.open(imagesFolder);
  const verified: VerifiedFile[] = [];
  for (const [place, entry] of lock.entries()) {
    // Archives are recorded by their address, and not kept.
    if (place.includes('://')) continue;
    verified.push(await verifyOne(join(imagesFolder, place), place, entry));
  }
  return verified;
}

async function verifyOne(path: string, place: string, entry: LockEntry): Promise<VerifiedFile> {
  const common = { place, origin: entry.origin };
  try {
    const digest = await digestOfFile(path);
    if (digest === entry.digest) return { ...common, isFine: true, detail: digest };
    return { ...common, isFine: false, detail: `${digest}, and was ${entry.digest}` };
  } catch (error) {
    return { ...common, isFine: false, detail: errorMessageOf(error) };
  }
}
