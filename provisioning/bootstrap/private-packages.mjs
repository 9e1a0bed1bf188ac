import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  chooseOwnSources,
  deriveNewerSources,
  formatDeb822,
  readAptSources,
} from './apt-sources.mjs';
import { runCommand } from './command.mjs';

const UPDATE_TIMEOUT_MS = 120_000;
const DOWNLOAD_TIMEOUT_MS = 300_000;
const UNPACK_TIMEOUT_MS = 120_000;
const QUERY_TIMEOUT_MS = 20_000;

/** Begins the name of every folder that a set-up works in; what is left of one can go. */
export const WORK_PREFIX = 'work-';

/** What the system runs after an update of its own lists has nothing to do with these. */
const NO_HOOKS = `#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
`;

/**
 * Packages of a Debian release, fetched and unpacked beside the system: with lists and folders of
 * their own, checked with the keys that the system trusts, without changing any of it.
 */
export class PrivatePackages {
  #toolsFolder;
  #folder;
  #sources;
  #options = [];
  /** Why the lists could not be had; undefined while that has not been tried or has worked. */
  #failure;
  #isUpdated = false;

  constructor(toolsFolder, sources) {
    this.#toolsFolder = toolsFolder;
    this.#sources = sources;
  }

  /** Those of the newer release that the set-up needs; undefined if the mirror is unknown. */
  static ofNewerRelease(toolsFolder, machine) {
    if (!machine.hasApt) return undefined;
    const sources = deriveNewerSources(readAptSources(), machine.codename);
    return sources.length === 0 ? undefined : new PrivatePackages(toolsFolder, sources);
  }

  /** Those of the machine's own release; undefined if it has no sources of Debian. */
  static ofOwnRelease(toolsFolder, machine) {
    if (!machine.hasApt) return undefined;
    const sources = chooseOwnSources(readAptSources(), machine.codename);
    return sources.length === 0 ? undefined : new PrivatePackages(toolsFolder, sources);
  }

  /**
   * Downloads packages and unpacks them into one folder inside `.tools`.
   *
   * @returns {Promise<{folder: string, reason: string, versions: Record<string, string>}>} `reason`
   * is empty if it worked; `versions` are by package; the caller renames or removes the folder.
   */
  async unpack(names) {
    const reason = await this.#update();
    if (reason !== '') return { folder: '', reason, versions: {} };
    const work = makeWorkFolder(this.#toolsFolder);
    const download = await runApt('apt-get', ['download', ...this.#options, ...names], {
      timeoutMs: DOWNLOAD_TIMEOUT_MS,
      folder: work,
    });
    if (!download.ok) return abandon(work, download.reason);
    const archives = readdirSync(work).filter((name) => name.endsWith('.deb'));
    if (archives.length !== names.length) {
      return abandon(work, `${names.join(', ')}: ${archives.length} archives arrived`);
    }
    for (const archive of archives) {
      const words = ['-x', join(work, archive), join(work, 'root')];
      const unpacked = await runCommand('dpkg-deb', words, { timeoutMs: UNPACK_TIMEOUT_MS });
      if (!unpacked.ok) return abandon(work, unpacked.reason);
      rmSync(join(work, archive));
    }
    return { folder: work, reason: '', versions: versionsOf(archives) };
  }

  /** The version of a package that would be downloaded, and what it depends on. */
  async query(name) {
    if ((await this.#update()) !== '') return undefined;
    const shown = await runApt('apt-cache', ['show', ...this.#options, '--no-all-versions', name], {
      timeoutMs: QUERY_TIMEOUT_MS,
    });
    const version = /^Version: (\S+)/m.exec(shown.stdout)?.[1];
    if (!shown.ok || version === undefined) return undefined;
    return { version, depends: /^Depends: (.*)$/m.exec(shown.stdout)?.[1] ?? '' };
  }

  /** Removes the lists. */
  close() {
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Fetches the lists once; returns why that failed, or nothing. */
  async #update() {
    if (this.#isUpdated) return '';
    if (this.#failure !== undefined) return this.#failure;
    this.#folder = makeWorkFolder(this.#toolsFolder);
    for (const name of ['lists/partial', 'cache/archives/partial', 'parts']) {
      mkdirSync(join(this.#folder, name), { recursive: true });
    }
    writeFileSync(join(this.#folder, 'apt.conf'), NO_HOOKS);
    this.#options = privateOptions(this.#folder);
    let updated = await this.#updateFrom(this.#sources);
    const main = this.#sources.filter(({ suite }) => !suite.includes('-'));
    // A private mirror may hold the release without its updates.
    if (!updated.ok && main.length < this.#sources.length) updated = await this.#updateFrom(main);
    this.#isUpdated = updated.ok;
    if (!updated.ok) this.#failure = updated.reason;
    return updated.reason;
  }

  #updateFrom(sources) {
    writeFileSync(join(this.#folder, 'parts', 'debian.sources'), formatDeb822(sources));
    return runApt('apt-get', ['update', ...this.#options, '--error-on=any'], {
      timeoutMs: UPDATE_TIMEOUT_MS,
    });
  }
}

/** A new folder to work in, on the same file system as the final place. */
export function makeWorkFolder(toolsFolder) {
  return mkdtempSync(join(toolsFolder, WORK_PREFIX));
}

/** Removes what interrupted set-ups have left. */
export function removeWorkFolders(toolsFolder) {
  for (const name of readdirSync(toolsFolder)) {
    if (!name.startsWith(WORK_PREFIX)) continue;
    rmSync(join(toolsFolder, name), { recursive: true, force: true });
  }
}

/** Puts a finished folder in its place, which an earlier one of the same name may hold. */
export function installFolder(from, to) {
  rmSync(to, { recursive: true, force: true });
  renameSync(from, to);
}

/** Runs apt in the C locale, without questions. */
export function runApt(program, words, options) {
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
  return runCommand(program, words, { environment, ...options });
}

function privateOptions(folder) {
  const settings = {
    'Dir::Etc::SourceList': '/dev/null',
    'Dir::Etc::SourceParts': join(folder, 'parts'),
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'Dir::State::Lists': join(folder, 'lists'),
    'Dir::Cache': join(folder, 'cache'),
    'APT::Sandbox::User': '',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '2',
    'Acquire::http::Timeout': '20',
    'Acquire::https::Timeout': '20',
    'APT::Get::AllowUnauthenticated': 'false',
  };
  const words = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  return ['-c', join(folder, 'apt.conf'), ...words];
}

function abandon(folder, reason) {
  rmSync(folder, { recursive: true, force: true });
  return { folder: '', reason, versions: {} };
}

/** `NAME_VERSION_ARCHITECTURE.deb`, with a colon as %3a. */
function versionsOf(archives) {
  return Object.fromEntries(
    archives.map((archive) => {
      const [name, version] = archive.split('_');
      return [name, decodeURIComponent(version ?? '')];
    }),
  );
}
