import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { syncLimitNs, syncRows } from '../../../coordinator/report/sync-rows.ts';
import type { PlacedStart } from '../../../coordinator/report/sync-rows.ts';

function startsOf(
  devices: number,
  trials: number,
  latenessOf: (device: number, position: number) => number,
): PlacedStart[] {
  return Array.from({ length: devices * trials }, (_, index): PlacedStart => {
    const device = Math.floor(index / trials);
    const position = index % trials;
    return {
      trialId: `t${position}`,
      attempt: 1,
      position,
      deviceId: `agent-${device + 1}`,
      wave: 0,
      latenessNs: 7,
      fleetLatenessNs: latenessOf(device, position),
      boundNs: 100 + device,
    };
  });
}

test('syncRows has a row per device and a mark per start while they are few', (t) => {
  const rows = syncRows(startsOf(12, 5, (device, position) => device * 10 + position));
  t.deepEqual(
    rows.map(({ deviceIds }) => deviceIds.join()),
    Array.from({ length: 12 }, (_, device) => `agent-${device + 1}`),
  );
  t.deepEqual(rows[2]?.marks[3], {
    deviceId: 'agent-3',
    position: 3,
    latenessNs: 23,
    boundNs: 102,
  });
});

test('syncRows shows a start without an estimate by its own clock, without a bound', (t) => {
  const start: PlacedStart = { ...startsOf(1, 1, () => 0)[0]! };
  delete (start as { fleetLatenessNs?: number }).fleetLatenessNs;
  delete (start as { boundNs?: number }).boundNs;
  t.deepEqual(syncRows([start])[0]?.marks, [{ deviceId: 'agent-1', position: 0, latenessNs: 7 }]);
});

test('syncRows stays legible whatever the fleet, and never hides the worst start', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 500 }),
      fc.integer({ min: 1, max: 40 }),
      fc.nat(),
      fc.constantFrom(-1, 1),
      (devices, trials, at, sign) => {
        const worst = at % (devices * trials);
        const starts = startsOf(devices, trials, (device, position) =>
          device * trials + position === worst ? sign * 5000 : position,
        );
        const rows = syncRows(starts);
        const marks = rows.flatMap((row) => row.marks);
        assert(rows.length <= 24 && marks.length <= 1500);
        assert(marks.some(({ latenessNs }) => latenessNs === sign * 5000));
        assert.equal(new Set(rows.flatMap(({ deviceIds }) => deviceIds)).size, devices);
        for (const row of rows) {
          for (const { deviceId } of row.marks) assert(row.deviceIds.includes(deviceId));
        }
      },
    ),
    { numRuns: 40 },
  );
  t.pass();
});

test('syncRows shows of neighbours the start with the bound that belongs to it', (t) => {
  const [row] = syncRows(startsOf(48, 1, (device) => (device === 1 ? -900 : 5)));
  t.deepEqual(row?.deviceIds, ['agent-1', 'agent-2']);
  t.deepEqual(row?.marks, [{ deviceId: 'agent-2', position: 0, latenessNs: -900, boundNs: 101 }]);
});

test('syncLimitNs holds every start unless single ones lie far out', (t) => {
  const mark = (latenessNs: number) => ({ deviceId: 'a', position: 0, latenessNs, boundNs: 100 });
  const near = Array.from({ length: 40 }, (_, index) => mark(index));
  t.is(syncLimitNs(near), 139);
  const limitNs = syncLimitNs([...near, mark(-9_000_000)]);
  t.true(limitNs >= 139 && limitNs < 1000);
  t.is(syncLimitNs([]), 0);
});
