import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * One line of where packages come from.
 *
 * @typedef {{uri: string, suite: string, components: string[], signedBy: string | undefined}}
 *   AptSource
 */

/** Debian's releases that matter here, oldest first. */
const RELEASES = ['buster', 'bullseye', 'bookworm', 'trixie', 'forky', 'duke'];

/** The oldest release whose packages the set-up can use. */
export const FLOOR_RELEASE = 'trixie';

/**
 * Reads the machine's own sources of binary packages.
 *
 * @returns {AptSource[]}
 */
export function readAptSources(folder = '/etc/apt') {
  const sources = [];
  const parts = join(folder, 'sources.list.d');
  const names = existsSync(parts) ? readdirSync(parts).sort() : [];
  const paths = [join(folder, 'sources.list'), ...names.map((name) => join(parts, name))];
  for (const path of paths) {
    if (!existsSync(path)) continue;
    if (path.endsWith('.list')) sources.push(...parseOneLineSources(readFileSync(path, 'utf8')));
    if (path.endsWith('.sources')) sources.push(...parseDeb822Sources(readFileSync(path, 'utf8')));
  }
  return sources;
}

/**
 * Reads `deb [options] uri suite component…` lines; see sources.list(5).
 *
 * @param {string} text
 * @returns {AptSource[]}
 */
export function parseOneLineSources(text) {
  const sources = [];
  for (const line of text.split('\n')) {
    const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)$/.exec(stripComment(line));
    if (match === null) continue;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(match[1] ?? '')?.[1];
    sources.push({
      uri: match[2],
      suite: match[3],
      components: match[4].split(/\s+/).filter(Boolean),
      signedBy,
    });
  }
  return sources;
}

/**
 * Reads stanzas of `Field: value` lines; see sources.list(5), "DEB822-style format".
 *
 * @param {string} text
 * @returns {AptSource[]}
 */
export function parseDeb822Sources(text) {
  const sources = [];
  const withoutComments = text.replace(/^#.*\n?/gm, '');
  for (const stanza of withoutComments.split(/\n[ \t]*(?:\n|$)/)) {
    const fields = parseStanza(stanza);
    if (!wordsOf(fields.types).includes('deb') || fields.enabled?.trim() === 'no') continue;
    for (const uri of wordsOf(fields.uris)) {
      for (const suite of wordsOf(fields.suites)) {
        const components = wordsOf(fields.components);
        sources.push({ uri, suite, components, signedBy: fields['signed-by'] });
      }
    }
  }
  return sources;
}

/**
 * Where the newer release's packages are, by the machine's own mirrors: the same addresses and
 * keys with the newer release's name. Empty if this is not Debian or has no Debian source.
 *
 * @param {AptSource[]} sources
 * @param {string} codename of the release that the machine runs.
 * @returns {AptSource[]}
 */
export function deriveNewerSources(sources, codename) {
  const own = RELEASES.indexOf(codename);
  if (own === -1) return [];
  const newer = own < RELEASES.indexOf(FLOOR_RELEASE) ? FLOOR_RELEASE : codename;
  const derived = [];
  for (const source of sources) {
    const suffix = suffixOf(source.suite, codename);
    if (!source.components.includes('main') || (suffix !== '' && suffix !== '-security')) continue;
    const next = { ...source, suite: `${newer}${suffix}`, components: ['main'] };
    if (!derived.some((one) => one.uri === next.uri && one.suite === next.suite)) {
      derived.push(next);
    }
  }
  return derived.some((source) => source.suite === newer) ? derived : [];
}

/**
 * The machine's own Debian sources, without those of other publishers.
 *
 * @param {AptSource[]} sources
 * @param {string} codename of the release that the machine runs.
 * @returns {AptSource[]}
 */
export function chooseOwnSources(sources, codename) {
  return sources.filter(
    ({ suite, components }) =>
      suffixOf(suite, codename) !== undefined && components.includes('main'),
  );
}

/**
 * Writes sources in the DEB822 form.
 *
 * @param {AptSource[]} sources
 */
export function formatDeb822(sources) {
  const stanzas = sources.map(({ uri, suite, components, signedBy }) => {
    const lines = ['Types: deb', `URIs: ${uri}`, `Suites: ${suite}`];
    lines.push(`Components: ${components.join(' ')}`);
    if (signedBy !== undefined) lines.push(`Signed-By:${separated(signedBy)}`);
    return `${lines.join('\n')}\n`;
  });
  return stanzas.join('\n');
}

/** What follows the release's name in a suite, e.g. `-security`; undefined if it is another's. */
function suffixOf(suite, codename) {
  for (const name of [codename, 'stable', 'oldstable']) {
    if (suite === name) return '';
    if (suite.startsWith(`${name}-`)) return suite.slice(name.length);
  }
  return undefined;
}

function parseStanza(stanza) {
  const fields = {};
  let name;
  for (const line of stanza.split('\n')) {
    const match = /^([A-Za-z-]+):(.*)$/.exec(line);
    if (match !== null) {
      name = match[1].toLowerCase();
      fields[name] = match[2].trim();
    } else if (name !== undefined && /^[ \t]/.test(line)) {
      fields[name] += `\n${line}`;
    }
  }
  return fields;
}

/** A key may stand in the source itself, in several lines. */
function separated(signedBy) {
  return signedBy.startsWith('\n') ? signedBy : ` ${signedBy}`;
}

function stripComment(line) {
  return line.replace(/#.*$/, '').trim();
}

function wordsOf(text) {
  return (text ?? '').split(/\s+/).filter(Boolean);
}
