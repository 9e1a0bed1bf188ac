import test from 'ava';
import { recordedTrials, summariseTrials } from '../../../coordinator/analysis/recorded-trials.ts';
import { TelemetryTally } from '../../../coordinator/analysis/telemetry-tally.ts';
import type { TrialResult } from '../../../schemas/result.ts';
import type { SamplerReport } from '../../../schemas/telemetry.ts';
import { makeRun } from '../../support/run-fixture.ts';
import { makeReport } from '../../support/sample-blocks.ts';

const FIXTURE = makeRun({ sandboxes: ['process'], repetitions: 2, agentsPerHost: [1, 1] });
const { run, plan } = FIXTURE;

type Telemetry = TrialResult['telemetry'];

/** The results, of which each says this of its sampling. */
function sampled(telemetryOf: (result: TrialResult, index: number) => Telemetry): TrialResult[] {
  return FIXTURE.results.map((result, index) => {
    const telemetry = telemetryOf(result, index);
    return telemetry === undefined ? result : { ...result, telemetry };
  });
}

function summaryOf(reports: readonly (SamplerReport | { failure: string })[]) {
  const tally = new TelemetryTally();
  tally.add(reports.map((telemetry, index) => ({ telemetry, deviceId: `agent-${index}` })));
  return tally.summary();
}

const FINDINGS = { missing: { trials: 0, blocks: 0 }, damaged: 0, damage: [], throttled: [] };

/** The codes and messages of notes about sampling. */
async function notesOf(
  results: readonly TrialResult[],
  samples: Parameters<typeof summariseTrials>[2]['samples'],
) {
  const trials = { ...recordedTrials(run, plan, results), ...(samples ? { samples } : {}) };
  const { notes } = await summariseTrials(run, plan, trials);
  return notes.filter(({ code }) => /sampl|throttled/.test(code));
}

test('TelemetryTally is nothing without a word about sampling', (t) => {
  const tally = new TelemetryTally();
  tally.add(FIXTURE.results);
  t.is(tally.summary(), undefined);
  t.is(tally.allMissing(), undefined);
});

test('TelemetryTally adds up what results say, with medians and extremes over them', (t) => {
  const summary = summaryOf([
    makeReport({ achievedHz: 100, cpuNs: 10_000_000n, latenessP99Ns: 1n }),
    makeReport({ achievedHz: 98, cpuNs: 30_000_000n, latenessP99Ns: 3n }),
    makeReport({
      achievedHz: 99,
      cpuNs: 20_000_000n,
      latenessP99Ns: 2n,
      latenessMaxNs: 5_000_000n,
    }),
    { failure: 'no sampler' },
  ]);
  t.like(summary, {
    sampled: 3,
    failed: 1,
    failedDeviceIds: ['agent-3'],
    failure: 'no sampler',
    ratesHz: [100],
    achievedMedian: 0.99,
    achievedLeast: 0.98,
    cpuMedian: 0.02,
    cpuMost: 0.03,
    latenessP99Ns: 2,
    latenessMaxNs: 5_000_000,
    slow: 0,
    blocks: 3,
    announcing: 3,
    samples: 1200,
  });
});

test('TelemetryTally calls slow what misses over 3 % of the rate, and no short trial', (t) => {
  const slow = (changes: Partial<SamplerReport>) => summaryOf([makeReport(changes)])?.slow;
  t.is(slow({ rounds: 97 }), 0);
  t.is(slow({ rounds: 90, achievedHz: 90 }), 1);
  t.is(slow({ rounds: 1000, missed: 40 }), 1);
  // A trial of 25 ms at 100 Hz has two rounds or three; one that is missing is a third.
  t.is(slow({ wallNs: 25_000_000n, rounds: 2, missed: 1, achievedHz: 80 }), 0);
  t.is(slow({ wallNs: 0n, rounds: 0, achievedHz: 0 }), 0);
});

test('TelemetryTally names each reason of a source once, with its devices', (t) => {
  const sources: SamplerReport['sources'] = [
    { source: 'energy', samples: 0, unavailable: 'no counter', remedy: 'none' },
    { source: 'temperature', samples: 3, rateHz: 1, limitedBy: 'the sensor is slow' },
    { source: 'cgroup-cpu', instance: 0, samples: 100, rateHz: 100 },
  ];
  const summary = summaryOf([makeReport({ sources }), makeReport({ sources })]);
  const deviceIds = ['agent-0', 'agent-1'];
  t.deepEqual(summary?.gaps, [
    { source: 'energy', deviceIds, unavailable: 'no counter', remedy: 'none' },
    { source: 'temperature', deviceIds, limitedBy: 'the sensor is slow' },
  ]);
});

test('a run that was sampled well has no notes of it', async (t) => {
  t.deepEqual(
    await notesOf(
      sampled(() => makeReport()),
      FINDINGS,
    ),
    [],
  );
});

test('notes tell of trials that were not sampled, too slowly, or thinned out', async (t) => {
  const results = sampled((_, index) => {
    if (index === 0) return { failure: 'the sampler ended.' };
    return makeReport(index === 1 ? { rounds: 50, achievedHz: 50 } : { thinnedBy: 4 });
  });
  const notes = await notesOf(results, FINDINGS);
  t.deepEqual(
    notes.map(({ code }) => code),
    ['sampling-failed', 'sampling-slow', 'sampling-thinned'],
  );
  t.regex(notes[0]!.message, /^1 result \(agent-\d\) .* not sampled: the sampler ended\.$/);
  t.regex(notes[1]!.message, /^1 of \d+ sampled results \(agent-\d\) .* had 50 % of the rate\.$/);
});

test('notes tell of samples that are missing or damaged, and of throttled devices', async (t) => {
  const notes = await notesOf(
    sampled(() => makeReport()),
    {
      missing: { trials: 3, blocks: 7 },
      damaged: 1,
      damage: ['samples.ndjson line 4: its checksum does not match'],
      throttled: [{ device: 'agent-1', condition: 'under-voltage', trials: 2 }],
    },
  );
  t.deepEqual(
    notes.map(({ message }) => message),
    [
      'Samples of 3 trials are missing: 7 blocks did not arrive.',
      'samples.ndjson is damaged; 1 line of it left out: samples.ndjson line 4: its checksum ' +
        'does not match.',
      'A device was throttled while it measured (agent-1: under-voltage, 2 trials).',
    ],
  );
});

test('a run that announces samples and has none lacks all of them', async (t) => {
  const results = sampled(() => makeReport({ blocks: 2 }));
  const [note] = await notesOf(results, 'none');
  t.is(note?.code, 'samples-missing');
  t.true(note?.message.includes(`${2 * results.length} blocks`));
  t.deepEqual(await notesOf(FIXTURE.results, 'none'), []);
});
