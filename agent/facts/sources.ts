import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** Folders that facts are read below, so that tests can have their own. No slash at the end. */
export interface FactRoots {
  /** Default `/proc`. */
  readonly proc: string;
  /** Default `/sys`. */
  readonly sys: string;
  /** Default `/dev`. */
  readonly dev: string;
  /** Default `/boot`. */
  readonly boot: string;
  /** Default `/run`. */
  readonly run: string;
}

/** The folders of the machine itself. */
export const MACHINE_ROOTS: FactRoots = {
  proc: '/proc',
  sys: '/sys',
  dev: '/dev',
  boot: '/boot',
  run: '/run',
};

/** Longest text that a record of facts may hold. */
const TEXT_MAX = 256;

/** One line of at most the length that records allow. */
export function boundedText(value: string): string {
  return value
    .replaceAll(/[\s\0]+/g, ' ')
    .trim()
    .slice(0, TEXT_MAX);
}

/** What a file holds; undefined if it is not there or can't be read. */
export function readFact(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** The text of a file in one line; undefined if there is none or it is empty. */
export function readTextFact(path: string): string | undefined {
  const text = boundedText(readFact(path) ?? '');
  return text === '' ? undefined : text;
}

/** A file that holds one whole number, of at most 12 digits; undefined if it does not. */
export function readNumberFact(path: string): number | undefined {
  const text = readFact(path);
  return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : undefined;
}

/** Names in a folder, in order; none if it is not there. */
export function listFacts(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** Where a link leads; undefined if there is none. */
export function readLinkFact(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Leaves out what is not known, so that absent things are absent. */
export function known<Facts extends object>(
  facts: Facts,
): { [Name in keyof Facts]: Exclude<Facts[Name], undefined> } {
  return Object.fromEntries(
    Object.entries(facts).filter(([, value]) => value !== undefined),
  ) as never;
}
