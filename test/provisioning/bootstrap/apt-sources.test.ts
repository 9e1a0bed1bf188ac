import test from 'ava';
import {
  chooseOwnSources,
  deriveNewerSources,
  formatDeb822,
  parseDeb822Sources,
  parseOneLineSources,
} from '../../../provisioning/bootstrap/apt-sources.mjs';

const DEB822 = `Types: deb
# a comment between fields
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb-src
URIs: http://mirror.example/debian
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: https://packages.other.example/node
Suites: nodistro
Components: main
`;

const ONE_LINE = `# comment
deb http://mirror.example/debian bookworm main non-free # the mirror
deb [arch=amd64 signed-by=/etc/apt/keyrings/debian.gpg trusted=yes] http://m.example/d bookworm main
deb-src http://mirror.example/debian bookworm main
deb http://mirror.example/debian-security bookworm-security main
`;

test('parseDeb822Sources reads a stanza for each address and suite', (t) => {
  const sources = parseDeb822Sources(DEB822);
  t.deepEqual(
    sources.map(({ uri, suite }) => `${uri} ${suite}`),
    [
      'http://mirror.example/debian bookworm',
      'http://mirror.example/debian bookworm-updates',
      'http://mirror.example/debian-security bookworm-security',
      'https://packages.other.example/node nodistro',
    ],
  );
  t.is(sources[0]?.signedBy, '/usr/share/keyrings/debian-archive-keyring.gpg');
  t.deepEqual(sources[0]?.components, ['main', 'contrib']);
});

test('parseDeb822Sources keeps a key that stands in the source', (t) => {
  const key =
    '\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n -----END PGP PUBLIC KEY BLOCK-----';
  const text = `Types: deb\nURIs: http://m\nSuites: bookworm\nComponents: main\nSigned-By:${key}\n`;
  const sources = parseDeb822Sources(text);
  t.is(sources[0]?.signedBy, key);
  t.deepEqual(parseDeb822Sources(formatDeb822(sources)), sources);
});

test('parseOneLineSources reads options and leaves comments and sources of code out', (t) => {
  t.deepEqual(parseOneLineSources(ONE_LINE), [
    {
      uri: 'http://mirror.example/debian',
      suite: 'bookworm',
      components: ['main', 'non-free'],
      signedBy: undefined,
    },
    {
      uri: 'http://m.example/d',
      suite: 'bookworm',
      components: ['main'],
      signedBy: '/etc/apt/keyrings/debian.gpg',
    },
    {
      uri: 'http://mirror.example/debian-security',
      suite: 'bookworm-security',
      components: ['main'],
      signedBy: undefined,
    },
  ]);
});

test("deriveNewerSources names the newer release on the machine's own mirrors", (t) => {
  const derived = deriveNewerSources(parseDeb822Sources(DEB822), 'bookworm');
  t.deepEqual(
    derived.map(({ uri, suite, components }) => [uri, suite, ...components].join(' ')),
    [
      'http://mirror.example/debian trixie main',
      'http://mirror.example/debian-security trixie-security main',
    ],
  );
  t.is(derived[0]?.signedBy, '/usr/share/keyrings/debian-archive-keyring.gpg');
});

test('deriveNewerSources never carries trust over from an option', (t) => {
  const text = formatDeb822(deriveNewerSources(parseOneLineSources(ONE_LINE), 'bookworm'));
  t.notRegex(text, /trusted/i);
  t.regex(text, /Signed-By: \/etc\/apt\/keyrings\/debian\.gpg/);
});

test('deriveNewerSources stays with a release that is new enough', (t) => {
  const sources = parseOneLineSources('deb http://mirror.example/debian forky main\n');
  t.deepEqual(
    deriveNewerSources(sources, 'forky').map(({ suite }) => suite),
    ['forky'],
  );
});

test('deriveNewerSources finds nothing on another distribution', (t) => {
  const sources = parseOneLineSources('deb http://mirror.example/ubuntu noble main\n');
  t.deepEqual(deriveNewerSources(sources, 'noble'), []);
  t.deepEqual(deriveNewerSources([], 'bookworm'), []);
});

test('chooseOwnSources leaves the sources of other publishers out', (t) => {
  const own = chooseOwnSources(parseDeb822Sources(DEB822), 'bookworm');
  t.deepEqual(
    own.map(({ suite }) => suite),
    ['bookworm', 'bookworm-updates', 'bookworm-security'],
  );
});
