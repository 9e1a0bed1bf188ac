import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { z } from 'zod';
import { clockRemarks, clockTable } from '../../../../coordinator/cli/commands/clocks.ts';
import { issueCredentials, writeCredentials } from '../../../../provisioning/nats/credentials.ts';
import type { ClockSurvey } from '../../../../schemas/clock.ts';
import { CONTROLS } from '../../../../schemas/control.ts';
import type { ClocksReply } from '../../../../schemas/control.ts';
import type { Device } from '../../../../schemas/device.ts';
import { controlSubject } from '../../../../schemas/subjects.ts';
import { startTestBus } from '../../../support/nats-server.ts';
import { makeRun } from '../../../support/run-fixture.ts';

type SurveyedDevice = z.output<typeof ClocksReply>['devices'][number];

const MAIN = fileURLToPath(new URL('../../../../coordinator/cli/main.ts', import.meta.url));

const REASON = "no real-time scheduling: chrt: failed to set pid 0's policy";

function survey(change: Partial<ClockSurvey> = {}, clock: Partial<ClockSurvey['clock']> = {}) {
  return {
    clock: {
      fleetTime: 'boot-1/time:[1]',
      offsetNs: 8_123_456_789_012n,
      boundNs: 91_250n,
      ageNs: 5_000_000n,
      probes: 14,
      roundTripMinNs: 170_400n,
      bracketed: false,
      ...clock,
    },
    schedulingClass: 'SCHED_FIFO 10',
    utcNs: 1_795_424_400_000_000_000n,
    ...change,
  } satisfies ClockSurvey;
}

const WELL: SurveyedDevice = { deviceId: 'pi-1', survey: survey() };
const BUSY: SurveyedDevice = {
  deviceId: 'pi-2',
  failure: {
    code: 'AGENT_BUSY',
    message: 'device pi-2 serves a run',
    hint: 'Ask again when the run is over.',
  },
};

/** The cells of the table's row for one survey. */
function cells(given: ClockSurvey): string[] {
  const rows = clockTable([{ deviceId: 'pi-1', survey: given }]).split('\n');
  return rows[1]?.split(/ {2,}/) ?? [];
}

test('the table has a row per device that told, in the units of its header', (t) => {
  const table = clockTable([WELL, BUSY]).split('\n');
  t.is(table.length, 2);
  t.regex(table[0] ?? '', /^device +offset \(ms\) +bound \(us\) +drift \(ppm\) +round trip \(us\)/);
  t.deepEqual(cells(survey()).slice(0, 7), [
    ...['pi-1', '8123456.789', '91.3', '-', '170.4', '14', 'SCHED_FIFO 10'],
  ]);
});

test('the drift is in parts per million with its direction', (t) => {
  t.is(cells(survey({}, { driftPpb: -12_345 }))[3], '-12.35');
  t.is(cells(survey({}, { driftPpb: 50_000 }))[3], '50.00');
  t.is(cells(survey({}, { driftPpb: -1 }))[3], '0.00');
});

test('UTC is what the time daemon says, or unknown', (t) => {
  const utc = (status: ClockSurvey['utc']): string | undefined =>
    cells(survey(status === undefined ? {} : { utc: status }))[7];
  t.is(utc(undefined), 'unknown: no time daemon tells');
  t.is(
    utc({ source: 'chrony', isSynchronised: true, errorNs: 7_926_772n, detail: '203.0.113.15' }),
    'chrony: error 7.927 ms (203.0.113.15)',
  );
  t.is(
    utc({ source: 'timesyncd', isSynchronised: true, detail: 'time1.example.org' }),
    'timesyncd: error unknown (time1.example.org)',
  );
  t.is(
    utc({ source: 'timesyncd', isSynchronised: false, detail: 'no server' }),
    'timesyncd: not synchronised (no server)',
  );
});

test('a device that serves a run is said to be busy, another failure has its message', (t) => {
  const lost: SurveyedDevice = {
    deviceId: 'pi-3',
    failure: { code: 'DEVICE_LOST', message: 'device pi-3 did not answer clock' },
  };
  t.deepEqual(clockRemarks([WELL, BUSY, lost]), [
    'pi-2: no clock: busy: it serves a run',
    '  hint: Ask again when the run is over.',
    'pi-3: no clock: device pi-3 did not answer clock',
  ]);
});

test('why there is no real-time class is said once for all that say the same', (t) => {
  const ordinary = survey({ schedulingClass: 'SCHED_OTHER 0', schedulingReason: REASON });
  const other = survey({ schedulingReason: 'no chrt' });
  t.deepEqual(
    clockRemarks([
      { deviceId: 'a', survey: ordinary },
      { deviceId: 'b', survey: other },
      { deviceId: 'c', survey: ordinary },
      WELL,
    ]),
    [`a, c: ordinary class: ${REASON}`, 'b: ordinary class: no chrt'],
  );
});

/** Runs `lockstep clocks` against a coordinator that answers with these devices. */
async function clocksOf(t: ExecutionContext, answer: SurveyedDevice[], ...words: string[]) {
  const server = await startTestBus(t);
  const coordinator = await server.connect({ role: 'coordinator', user: 'coordinator' });
  const [fixture] = makeRun().run.devices as [Device];
  const known = ['pi-1', 'pi-2', 'pi-9'].map((deviceId) => ({
    ...fixture,
    presence: { ...fixture.presence, deviceId },
    online: deviceId !== 'pi-9',
  }));
  await coordinator.respond(controlSubject('devices'), CONTROLS.devices, () => ({
    devices: known,
  }));
  await coordinator.respond(controlSubject('clocks'), CONTROLS.clocks, () => ({
    devices: answer,
  }));
  const creds = join(server.folder, 'researcher.creds');
  const { trust, url } = server;
  await writeCredentials(
    creds,
    issueCredentials(trust, { role: 'researcher', user: 'researcher' }),
  );
  const child = spawn(
    process.execPath,
    [MAIN, 'clocks', '--server', url, '--creds', creds, ...words],
    { stdio: ['ignore', 'pipe', 'pipe'], timeout: 90_000 },
  );
  const ended = once(child, 'close') as Promise<[number | null]>;
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { exitCode: (await ended)[0], stdout, stderr };
}

test('clocks prints the table and ends with 0 if all answered', async (t) => {
  const { exitCode, stdout, stderr } = await clocksOf(t, [WELL]);
  t.is(exitCode, 0, stderr);
  t.is(stdout, `${clockTable([WELL])}\n`);
  t.is(stderr, 'not asked, offline: pi-9\n');
});

test('clocks ends with 1 if a device could not tell, and says why on stderr', async (t) => {
  const { exitCode, stdout, stderr } = await clocksOf(t, [WELL, BUSY]);
  t.is(exitCode, 1);
  t.is(stdout, `${clockTable([WELL])}\n`);
  t.regex(stderr, /^pi-2: no clock: busy: it serves a run\n {2}hint: /);
});

test('clocks --json prints every digit, and has the same exit codes', async (t) => {
  const { exitCode, stdout } = await clocksOf(t, [WELL, BUSY], '--json');
  t.is(exitCode, 1);
  const [first, second] = JSON.parse(stdout) as [
    { survey: { clock: Record<string, unknown>; utcNs: unknown } },
    { failure: unknown },
  ];
  t.is(first.survey.clock['offsetNs'], '8123456789012');
  t.is(first.survey.utcNs, '1795424400000000000');
  t.deepEqual(second.failure, BUSY.failure);
});
