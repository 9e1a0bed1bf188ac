import test from 'ava';
import { recordedTrials } from '../../../coordinator/analysis/recorded-trials.ts';
import { csvDocument } from '../../../coordinator/report/csv.ts';
import type { Plan } from '../../../schemas/plan.ts';
import type { TrialResult } from '../../../schemas/result.ts';
import type { Run } from '../../../schemas/run.ts';
import { collected } from '../../support/collected.ts';
import { makeRun, randomNumbers, shuffled } from '../../support/run-fixture.ts';

interface Field {
  readonly text: string;
  readonly isQuoted: boolean;
}

async function renderCsv(run: Run, plan: Plan, results: readonly TrialResult[]): Promise<string> {
  return collected(csvDocument(run, plan, recordedTrials(run, plan, results)));
}

/** Reads RFC 4180, strictly; tells quoted fields from bare ones. */
function parse(csv: string): Record<string, Field>[] {
  const rows: Field[][] = [];
  let row: Field[] = [];
  let at = 0;
  while (at < csv.length) {
    const match = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
    match.lastIndex = at;
    const found = match.exec(csv);
    if (found === null) throw new Error(`not RFC 4180 at ${at}: ${csv.slice(at, at + 40)}`);
    const [all, quoted, bare = '', end] = found;
    row.push({ text: quoted?.replaceAll('""', '"') ?? bare, isQuoted: quoted !== undefined });
    if (end === '\r\n') {
      rows.push(row);
      row = [];
    }
    at += all.length;
  }
  const [header, ...records] = rows;
  return records.map((record) => {
    if (record.length !== header!.length) throw new Error('rows differ in length');
    return Object.fromEntries(record.map((field, index) => [header![index]!.text, field]));
  });
}

test('csvDocument has one row per sandbox, whatever became of it', async (t) => {
  const { run, plan, results } = makeRun({
    instances: [1, 4],
    repetitions: 2,
    failureRate: 0.2,
    invalidRate: 0.2,
  });
  const rows = parse(await renderCsv(run, plan, results));
  t.is(
    rows.length,
    results.reduce((sum, { instances }) => sum + instances.length, 0),
  );
  for (const outcome of ['kept', 'failed', 'invalid']) {
    t.true(rows.some((row) => row['outcome']?.text === outcome));
  }
});

test('csvDocument has a row for a result without a sandbox, with absent fields empty', async (t) => {
  const { run, plan, results } = makeRun({ repetitions: 1 });
  const lost: TrialResult = {
    protocol: 1,
    runId: run.runId,
    trialId: 't0000',
    attempt: 1,
    deviceId: 'agent-1',
    cell: results[0]!.cell,
    reportedBy: 'coordinator',
    status: 'failed',
    failure: { code: 'DEVICE_LOST', message: 'no presence for 5 s' },
    invalid: [],
    barriers: [],
    instances: [],
    sandboxDetails: {},
  };
  const [row] = parse(await renderCsv(run, plan, [lost]));
  t.is(row?.['failureCode']?.text, 'DEVICE_LOST');
  for (const absent of [
    'instance',
    'latencyNs',
    'latenessNs',
    'firstByteSinceRequestNs',
    'cpuNs',
    'wave',
    'fleetLatenessNs',
    'bracketed',
    'driftPpb',
  ]) {
    t.deepEqual(row?.[absent], { text: '', isQuoted: false }, absent);
  }
});

test('csvDocument counts phases from the request, in ns', async (t) => {
  const { run, plan, results } = makeRun({ sandboxes: ['microvm'], repetitions: 1 });
  const { phases } = results[0]!.instances[0]!;
  const [row] = parse(await renderCsv(run, plan, results));
  t.is(row?.['requestAtMonoNs']?.text, String(phases.request));
  t.is(row?.['guestEntrySinceRequestNs']?.text, String(phases.guestEntry! - phases.request!));
  t.is(row?.['latencyNs']?.text, String(phases.firstByte! - phases.request!));
});

test('csvDocument quotes text, also if it looks like a formula, and leaves numbers bare', async (t) => {
  const { run, plan, results } = makeRun({ repetitions: 1, failureRate: 1 });
  const message = '=1+1,"a"\r\n-2';
  const changed = results.map((result): TrialResult => ({
    ...result,
    failure: { code: 'INTERNAL', message },
    start: { ...result.start!, latenessNs: -42n },
  }));
  const [row] = parse(await renderCsv(run, plan, changed));
  t.deepEqual(row?.['failureMessage'], { text: message, isQuoted: true });
  t.deepEqual(row?.['latenessNs'], { text: '-42', isQuoted: false });
});

test('csvDocument gives the same bytes whatever the order of the results', async (t) => {
  const { run, plan, results } = makeRun({ repetitions: 3 });
  const expected = await renderCsv(run, plan, results);
  t.is(await renderCsv(run, plan, shuffled(results, randomNumbers(9))), expected);
  t.is(await renderCsv(run, plan, [...results, results[0]!]), expected);
});

test('csvDocument of no results is its header', async (t) => {
  const { run, plan } = makeRun();
  t.is((await renderCsv(run, plan, [])).split('\r\n').length, 2);
});

/** The columns of the first version, which people read by their place. */
const FIRST_COLUMNS =
  'run,trial,repetition,position,cell,sandbox,function,instances,device,host,attempt,reportedBy,' +
  'outcome,status,failureCode,failureMessage,invalidCodes,latencyNs,latenessNs,schedulingClass,' +
  'startedAtUtcNs,clockOffsetNs,clockBoundNs,functionDigest,instance,instanceStatus,' +
  'instanceFailureCode,failedAfter,httpStatus,responseBytes,requestAtMonoNs,spawnSinceRequestNs,' +
  'guestEntrySinceRequestNs,appMainSinceRequestNs,readySinceRequestNs,firstByteSinceRequestNs,' +
  'lastByteSinceRequestNs,teardownBeginSinceRequestNs,teardownEndSinceRequestNs,memoryBytes,' +
  'memoryPeakBytes,cpuNs';

test('csvDocument keeps the place of the columns that it had, and has new ones after them', async (t) => {
  const { run, plan } = makeRun();
  const header = (await renderCsv(run, plan, [])).trimEnd().replaceAll('"', '');
  t.true(header.startsWith(`${FIRST_COLUMNS},`));
  t.is(
    header.slice(FIRST_COLUMNS.length),
    ',gateOpenSinceRequestNs,callSinceRequestNs,wave,fleetLatenessNs,bracketed,driftPpb,' +
      'schedulingReason',
  );
});

test('csvDocument tells wave, gate, call, clock and scheduling of each row', async (t) => {
  const { run, plan, results } = makeRun({
    kind: 'warm-call',
    repetitions: 1,
    agentsPerHost: [1, 1],
    waves: 2,
    ordinary: 1,
  });
  const [first, second] = results;
  const { phases } = first!.instances[0]!;
  const rows = parse(await renderCsv(run, plan, results));
  const { start, clock } = second!;
  t.is(rows[0]?.['gateOpenSinceRequestNs']?.text, String(phases.gateOpen! - phases.request!));
  t.is(rows[0]?.['callSinceRequestNs']?.text, String(phases.call! - phases.request!));
  t.is(rows[0]?.['schedulingReason']?.text, '');
  t.is(rows[0]?.['driftPpb']?.text, '1500');
  t.is(rows[1]?.['wave']?.text, '1');
  t.is(rows[1]?.['bracketed']?.text, '1');
  t.is(
    rows[1]?.['fleetLatenessNs']?.text,
    String(start!.actualMonoNs + clock!.offsetNs - start!.targetFleetNs),
  );
  t.is(rows[1]?.['schedulingClass']?.text, 'SCHED_OTHER 0');
  t.regex(rows[1]?.['schedulingReason']?.text ?? '', /not permitted/);
});

test('csvDocument has a row for each start of a no-op, with its lateness', async (t) => {
  const { run, plan, results } = makeRun({ kind: 'no-op', repetitions: 1 });
  const rows = parse(await renderCsv(run, plan, results));
  t.is(rows.length, results.length);
  t.is(rows[0]?.['latencyNs']?.text, String(results[0]!.start!.latenessNs));
  t.is(rows[0]?.['instance']?.text, '');
});
