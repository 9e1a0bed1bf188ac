// Goal: whatever happens to the bytes of a run's folder, reading it gives no wrong number. Method:
// a run as a coordinator leaves it, any few cuts, flips, zeros and changes of lines, and then: an
// error with a code, or nothing but results that were there, with a warning if any is missing.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { TrialResult } from '../../../schemas/result.ts';
import type { RunState } from '../../../schemas/run.ts';
import { makeRun } from '../../support/run-fixture.ts';

const FILES = ['run.json', 'plan.json', 'results.ndjson'] as const;
type FileName = (typeof FILES)[number];

interface Mutation {
  readonly file: FileName;
  readonly kind: 'cut' | 'flip' | 'zeros' | 'swap' | 'remove' | 'repeat' | 'insert';
  /** Shares of the file, or of its lines. */
  readonly at: number;
  readonly other: number;
  readonly bit: number;
}

const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const mutation: fc.Arbitrary<Mutation> = fc.record({
  // Most of the bytes are results, and so is most of what a disk does to them.
  file: fc.constantFrom<FileName>('results.ndjson', 'results.ndjson', 'run.json', 'plan.json'),
  kind: fc.constantFrom(
    'cut',
    'flip',
    'flip',
    'flip',
    'zeros',
    'swap',
    'remove',
    'repeat',
    'insert',
  ),
  at: share,
  other: share,
  bit: fc.nat(7),
});

function mutate(bytes: Buffer, { kind, at, other, bit }: Mutation): Buffer {
  const place = Math.floor(at * bytes.length);
  if (bytes.length === 0) return bytes;
  if (kind === 'cut') return bytes.subarray(0, place);
  if (kind === 'flip' || kind === 'zeros') {
    const changed = Buffer.from(bytes);
    if (kind === 'flip') changed[place]! ^= 1 << bit;
    else changed.subarray(place, place + 1 + Math.floor(other * 600)).fill(0);
    return changed;
  }
  if (kind === 'insert') {
    return Buffer.concat([bytes.subarray(0, place), Buffer.of(48 + bit), bytes.subarray(place)]);
  }
  const lines = bytes.toString('latin1').split('\n');
  const [first, second] = [at, other].map((part) => Math.floor(part * lines.length));
  const [line, otherLine] = [lines[first!]!, lines[second!]!];
  if (kind === 'remove') lines.splice(first!, 1);
  else if (kind === 'repeat') lines.splice(second!, 0, line);
  else {
    lines[first!] = otherLine;
    lines[second!] = line;
  }
  return Buffer.from(lines.join('\n'), 'latin1');
}

const { run, plan, results } = makeRun({
  sandboxes: ['process', 'microvm'],
  functions: ['hello-go'],
  repetitions: 3,
  failureRate: 0.2,
});
const canonical = (result: TrialResult): string => JSON.stringify(TrialResult.encode(result));
const known = new Set(results.map(canonical));

async function prepare(data: string, state: RunState): Promise<Map<FileName, Buffer>> {
  const folder = RunFolder.of(data, run.runId);
  await folder.writePlan(plan);
  await folder.appendResults(results);
  const marked = { ...run, state, resultsFile: { lineCheck: 'crc-32' as const } };
  await folder.writeRun(state === 'running' ? marked : await folder.sealed(marked));
  return new Map(FILES.map((file) => [file, readFileSync(folder.path(file))]));
}

for (const state of ['completed', 'running'] as const) {
  test(`damage to a ${state} run never crashes reading and never gives a wrong number`, async (t) => {
    const data = mkdtempSync(join(tmpdir(), 'damage-'));
    t.teardown(() => {
      rmSync(data, { recursive: true });
    });
    const originals = await prepare(data, state);
    const folder = RunFolder.of(data, run.runId);
    const original = await folder.read();
    const seen = { refused: 0, warned: 0, whole: 0 };
    const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(mutations, async (changes) => {
        const files = new Map(originals);
        for (const change of changes) {
          files.set(change.file, mutate(files.get(change.file)!, change));
        }
        for (const [file, bytes] of files) writeFileSync(folder.path(file), bytes);
        let read: Awaited<ReturnType<RunFolder['read']>>;
        try {
          read = await folder.read();
        } catch (error) {
          assert(error instanceof LockstepError, String(error));
          assert(error.hint !== undefined);
          seen.refused += 1;
          return;
        }
        assert.deepEqual(read.run, original.run);
        assert.deepEqual(read.plan, original.plan);
        const content = read.results.map(canonical);
        assert(content.every((result) => known.has(result)));
        const isDamageTold = read.damage.describe() !== undefined;
        const isComplete = new Set(content).size === known.size;
        assert(isComplete || isDamageTold || state === 'running');
        seen[isDamageTold ? 'warned' : 'whole'] += 1;
      }),
      { numRuns: 200, seed: 4, includeErrorInReport: true },
    );
    // Otherwise the property says nothing.
    t.true(seen.refused > 10 && seen.warned > 10, JSON.stringify(seen));
    t.log(JSON.stringify(seen));
  });
}
