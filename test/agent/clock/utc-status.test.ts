import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import {
  parseChronyTracking,
  parseSpan,
  parseTimesync,
  readUtcStatus,
} from '../../../agent/clock/utc-status.ts';
import { UtcStatus } from '../../../schemas/clock.ts';

// The texts are composed from the documentation, chronyc(1) `-c tracking` and timedatectl(1)
// `show-timesync`; they were not recorded on a machine.

const CHRONY =
  'CB00710F,203.0.113.15,3,1517404991.000000000,-0.000006523,-0.000001633,0.000030212,' +
  '-3.452,-0.002,0.123,0.013639022,0.001100737,64.2,Normal\n';
const CHRONY_ALONE =
  '00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,' +
  '0.000,0.000,0.000,1.000000000,1.000000000,0.0,Not synchronised\n';

const TIMESYNC = [
  'FallbackNTPServers=time1.example.org time2.example.org',
  'ServerName=time1.example.org',
  'ServerAddress=203.0.113.15',
  'RootDistanceMaxUSec=5s',
  'PollIntervalMinUSec=32s',
  'PollIntervalMaxUSec=34min 8s',
  'PollIntervalUSec=17min 4s',
  'NTPMessage={ Leap=0, Version=4, Mode=4, Stratum=2, Precision=-23, RootDelay=10.513ms,' +
    ' RootDispersion=991us, Reference=C0000201,' +
    ' OriginateTimestamp=Wed 2018-01-31 13:21:06 UTC,' +
    ' ReceiveTimestamp=Wed 2018-01-31 13:21:06 UTC,' +
    ' TransmitTimestamp=Wed 2018-01-31 13:21:06 UTC,' +
    ' DestinationTimestamp=Wed 2018-01-31 13:21:06 UTC,' +
    ' Ignored=no, PacketCount=19, Jitter=3.445ms }',
  'Frequency=-218944',
  '',
].join('\n');

test("chrony's error is its own bound: correction, dispersion and half the delay", (t) => {
  const { errorNs, ...rest } = parseChronyTracking(CHRONY) ?? {};
  t.deepEqual(rest, { source: 'chrony', isSynchronised: true, detail: '203.0.113.15' });
  // 6.523 us + 1100.737 us + 13639.022 us / 2, rounded up
  t.true(errorNs === 7_926_771n || errorNs === 7_926_772n, String(errorNs));
});

test('chrony without a server is not synchronised, and its error is unknown', (t) => {
  t.deepEqual(parseChronyTracking(CHRONY_ALONE), {
    source: 'chrony',
    isSynchronised: false,
    detail: 'no server',
  });
});

test('what is not the line of chrony says nothing', (t) => {
  for (const text of ['', '\n', '506 Cannot talk to daemon\n', 'a,b,c\n']) {
    t.is(parseChronyTracking(text), undefined, text);
  }
});

test("timesyncd's error is the root distance of its server", (t) => {
  t.deepEqual(parseTimesync(TIMESYNC), {
    source: 'timesyncd',
    isSynchronised: true,
    // 10.513 ms / 2 + 991 us
    errorNs: 6_247_500n,
    detail: 'time1.example.org',
  });
});

test('timesyncd that has heard no server yet is not synchronised', (t) => {
  const silent = TIMESYNC.replace(/^NTPMessage=.*\n/m, '');
  const expected = { source: 'timesyncd', isSynchronised: false } as const;
  t.deepEqual(parseTimesync(silent), { ...expected, detail: 'time1.example.org' });
  const alone = silent.replace(/^ServerName=.*$/m, 'ServerName=');
  t.deepEqual(parseTimesync(alone), { ...expected, detail: 'no server' });
});

test('a reply that timesyncd ignored does not count as synchronised', (t) => {
  const status = parseTimesync(TIMESYNC.replace('Ignored=no', 'Ignored=yes'));
  t.is(status?.isSynchronised, false);
  t.is(status?.errorNs, undefined);
});

test('what is not the answer of timesyncd says nothing', (t) => {
  t.is(parseTimesync(''), undefined);
  t.is(parseTimesync('Failed to connect to bus: Host is down\n'), undefined);
});

test('parseSpan reads spans as systemd prints them, and nothing else', (t) => {
  t.is(parseSpan('0'), 0n);
  t.is(parseSpan('991us'), 991_000n);
  t.is(parseSpan('1.525ms'), 1_525_000n);
  t.is(parseSpan('1s 20ms'), 1_020_000_000n);
  t.is(parseSpan('1min 2.034s'), 62_034_000_000n);
  for (const text of ['', 'infinity', '5', 'ms', '1.5.2ms', '-3ms', '1h 2min 3']) {
    t.is(parseSpan(text), undefined, text);
  }
  t.is(parseSpan(undefined), undefined);
});

test('parseSpan reads any sum of whole units', (t) => {
  const count = fc.nat(999);
  fc.assert(
    fc.property(count, count, count, count, (min, s, ms, us) => {
      const sumNs = ((BigInt(min) * 60n + BigInt(s)) * 1000n + BigInt(ms)) * 1_000_000n;
      assert.equal(parseSpan(`${min}min ${s}s ${ms}ms ${us}us`), sumNs + BigInt(us) * 1000n);
    }),
  );
  t.pass();
});

test("the error that chrony's line gives is never below any of its parts", (t) => {
  const seconds = fc.double({ min: 0, max: 100, noNaN: true }).map((value) => value.toFixed(9));
  fc.assert(
    fc.property(seconds, seconds, seconds, fc.boolean(), (system, delay, dispersion, isBehind) => {
      const fields = CHRONY.trim().split(',');
      fields[4] = isBehind ? `-${system}` : system;
      fields[10] = delay;
      fields[11] = dispersion;
      const status = parseChronyTracking(fields.join(','));
      const errorS = Number(status?.errorNs ?? 0n) / 1e9;
      const expectedS = Number(system) + Number(delay) / 2 + Number(dispersion);
      assert.ok(Math.abs(errorS - expectedS) < 2e-9, `${errorS} ${expectedS}`);
      assert.ok(errorS * 1e9 >= Number(dispersion) * 1e9 - 1);
    }),
  );
  t.pass();
});

test('no text makes a status that could not be sent', (t) => {
  const line = fc.array(fc.string(), { maxLength: 16 }).map((fields) => fields.join(','));
  const properties = fc
    .record({ name: fc.string(), message: fc.string() })
    .map(({ name, message }) => `ServerName=${name}\nNTPMessage={ ${message} }\n`);
  fc.assert(
    fc.property(line, properties, (chrony, timesync) => {
      for (const status of [parseChronyTracking(chrony), parseTimesync(timesync)]) {
        if (status !== undefined) UtcStatus.encode(status);
      }
    }),
  );
  t.pass();
});

test('readUtcStatus tells something that can be sent, or nothing, on any machine', async (t) => {
  const status = await readUtcStatus();
  t.log(status ?? 'no time daemon tells');
  t.notThrows(() => status === undefined || UtcStatus.encode(status));
});
