// No collector of files throws or tells a wrong number, whatever the files hold.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { CgroupFolders, FastSource, Roots } from '../../../agent/collectors/collector.ts';
import { HOST_COLLECTORS, SANDBOX_COLLECTORS } from '../../../agent/collectors/registry.ts';
import { readCaptured } from '../../fixtures/collectors/captured-files.ts';
import type { CapturedFiles } from '../../fixtures/collectors/captured-files.ts';
import { layOut, targetOf, v2Folders } from '../../agent/collectors/fixture-tree.ts';

const RUNS = 60;
const GROUP = '/sys/fs/cgroup/lockstep/s0';
const FIXTURES = ['linux-6.1-v2.captured', 'linux-6.18-v1.captured', 'raspberry-pi-5-16k.composed'];
const PARTS = [...Object.keys(SANDBOX_COLLECTORS), ...Object.keys(HOST_COLLECTORS)].filter((name) =>
  /^(cgroup|host|sandbox)-/.test(name),
);

interface Tree {
  readonly folder: string;
  readonly roots: Roots;
  readonly files: CapturedFiles;
  readonly cgroup: CgroupFolders;
}

function lay(t: ExecutionContext, fixture: string): Tree {
  const captured = new Map(readCaptured(fixture));
  // A process of the group, and the text that it would show.
  captured.set('/proc/7/net/dev', captured.get('/proc/net/dev')!);
  captured.set(`${GROUP}/cgroup.procs`, Buffer.from('7\n'));
  const { folder, roots } = layOut(t, captured);
  const v1 = (controller: string): string =>
    join(folder, '/sys/fs/cgroup', controller, 'lockstep-capture');
  const cgroup: CgroupFolders = fixture.includes('v1')
    ? {
        mode: 'v1',
        ...{ cpu: v1('cpu'), cpuacct: v1('cpuacct'), memory: v1('memory'), pids: v1('pids') },
        processes: join(folder, GROUP),
      }
    : v2Folders(join(folder, GROUP));
  return { folder, roots, files: captured, cgroup };
}

function openAll({ roots, cgroup }: Tree): FastSource[] {
  const target = targetOf(cgroup, { networkInterface: 'lo' });
  const opened = PARTS.map((name) =>
    name in SANDBOX_COLLECTORS
      ? SANDBOX_COLLECTORS[name as keyof typeof SANDBOX_COLLECTORS].open(target, roots)
      : HOST_COLLECTORS[name as keyof typeof HOST_COLLECTORS].open(roots),
  );
  return opened.flatMap((one) => ('unavailable' in one || one.pace === 'slow' ? [] : [one]));
}

function rowsOf(sources: readonly FastSource[]): number[][] {
  return sources.map((source) => {
    const row = new Float64Array(source.series.length);
    return source.read(row) === 'read' ? [...row] : [];
  });
}

function put(tree: Tree, change: (content: Buffer, place: number) => Uint8Array): void {
  let place = 0;
  for (const [path, content] of tree.files) {
    writeFileSync(join(tree.folder, path), change(content, place));
    place += 1;
  }
}

for (const fixture of FIXTURES) {
  test(`files of ${fixture} that are cut anywhere tell the same number or none`, (t) => {
    const tree = lay(t, fixture);
    const whole = openAll(tree);
    const wanted = rowsOf(whole);
    whole.forEach((source) => {
      source.close();
    });
    t.true(wanted.length >= 9);
    const property = fc.property(fc.array(fc.nat(), { minLength: 1, maxLength: 40 }), (cuts) => {
      // Fresh ones, as those before hold what they have seen.
      const sources = openAll(tree);
      put(tree, (content, place) => {
        const cut = cuts[place % cuts.length]!;
        // An empty file can be true: a group without any I/O has one.
        return content.subarray(0, content.length === 0 ? 0 : 1 + (cut % content.length));
      });
      try {
        rowsOf(sources).forEach((row, index) => {
          row.forEach((value, place) => {
            const { metric } = sources[index]!.series[place]!;
            const true_ = wanted[index]![place]!;
            assert.ok(Number.isNaN(value) || value === true_, `${metric}: ${value}, not ${true_}`);
          });
        });
      } finally {
        put(tree, (content) => content);
        sources.forEach((source) => {
          source.close();
        });
      }
    });
    fc.assert(property, { numRuns: RUNS });
  });
}

test('files that hold anything at all tell no negative number and throw nothing', (t) => {
  const tree = lay(t, FIXTURES[0]!);
  const Line = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.stringMatching(/^[a-z_0-9:= .-]{0,60}\n$/).map((text) => new Uint8Array(Buffer.from(text))),
  );
  const property = fc.property(fc.array(Line, { minLength: 1, maxLength: 10 }), (lines) => {
    const sources = openAll(tree);
    put(tree, (_, place) =>
      Buffer.concat(lines.map((_line, at) => lines[(at + place) % lines.length]!)),
    );
    try {
      const late = openAll(tree);
      for (const row of [...rowsOf(sources), ...rowsOf(late)]) {
        assert.ok(row.every((value) => Number.isNaN(value) || value >= 0));
      }
      for (const source of late) source.close();
    } finally {
      put(tree, (content) => content);
      for (const source of sources) source.close();
    }
  });
  fc.assert(property, { numRuns: RUNS });
  t.pass();
});
