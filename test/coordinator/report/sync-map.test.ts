import { parseHTML } from 'linkedom';
import test from 'ava';
import { syncMap } from '../../../coordinator/report/sync-map.ts';
import type { PlacedStart } from '../../../coordinator/report/sync-rows.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { makeRun } from '../../support/run-fixture.ts';
import type { RunFixtureOptions } from '../../support/run-fixture.ts';

interface MapElement {
  readonly textContent: string;
  getAttribute(name: string): string | null;
}

function startsOf(options: RunFixtureOptions): PlacedStart[] {
  const { run, plan, results } = makeRun({
    sandboxes: ['process'],
    functions: ['hello-go'],
    ...options,
  });
  return summarise(run, plan, results).start.points.map((point) => ({
    ...point,
    position: point.position!,
  }));
}

function all(points: readonly PlacedStart[], selector: string): MapElement[] {
  const parse: (text: string) => { document: unknown } = parseHTML;
  const page = parse(`<!doctype html><html>${syncMap(points)?.markup ?? ''}</html>`).document as {
    querySelectorAll(selector: string): Iterable<MapElement>;
  };
  return [...page.querySelectorAll(selector)];
}

const MAP = 'svg[role="img"]';
const POINTS = `${MAP} g[data-mark="dot"] path`;
const BARS = `${MAP} g[data-mark="rule"] g[stroke="var(--s1)"] line`;

test('syncMap has a point and an error bar for each start, and names itself', (t) => {
  const points = startsOf({ agentsPerHost: [1, 1], repetitions: 4 });
  t.is(all(points, POINTS).length, 8);
  t.is(all(points, BARS).length, 8);
  const [map] = all(points, MAP);
  t.regex(map?.getAttribute('aria-label') ?? '', /lateness of each start in fleet time/);
  t.regex(map?.getAttribute('aria-description') ?? '', /^8 marks of 2 devices; .*largest bound/);
  const text = map?.textContent ?? '';
  t.true(text.includes('agent-1') && text.includes('agent-2'));
});

test('syncMap shows a start without an estimate as another point without a bar, and says so', (t) => {
  const [first, ...others] = startsOf({ agentsPerHost: [1, 1], repetitions: 4 });
  const { trialId, attempt, position, deviceId, wave, latenessNs } = first!;
  const points = [{ trialId, attempt, position, deviceId, wave, latenessNs }, ...others];
  t.is(all(points, POINTS).length, 8);
  t.is(all(points, BARS).length, 7);
  t.is(all(points, '.legend li').length, 2);
  t.regex(all(points, 'figcaption')[0]?.textContent ?? '', /1 start has no estimate of the clock/);
});

test('syncMap keeps a start far out in sight, at the edge, and says how far it was', (t) => {
  const [first, ...others] = startsOf({ agentsPerHost: [1], repetitions: 40 });
  const points = [{ ...first!, fleetLatenessNs: 9_000_000 }, ...others];
  t.is(all(points, POINTS).length, 40);
  t.regex(
    all(points, 'figcaption')[0]?.textContent ?? '',
    /1 start lies beyond the edge of 0\.\d+ ms, the farthest 9\.00 ms off/,
  );
  t.notRegex(all(others, 'figcaption')[0]?.textContent ?? '', /beyond/);
});

test('syncMap of a large fleet has neighbours in a row, and says what it leaves out', (t) => {
  const points = startsOf({ agentsPerHost: Array.from({ length: 100 }, () => 1), repetitions: 2 });
  const [caption] = all(points, 'figcaption');
  t.regex(caption?.textContent ?? '', /A row holds up to 5 devices, neighbours by id\./);
  t.regex(caption?.textContent ?? '', /40 of 200 starts are shown/);
  t.true(all(points, MAP)[0]?.textContent.includes('agent-1 to agent-5'));
});

test('syncMap shows the id of a device as text', (t) => {
  const hostile = '<script>x</script>';
  const points = startsOf({ agentsPerHost: [1], repetitions: 1 }).map((point) => ({
    ...point,
    deviceId: hostile,
  }));
  t.is(all(points, 'script').length, 0);
  t.true(all(points, MAP)[0]?.textContent.includes(hostile));
});

test('syncMap of no starts is absent', (t) => {
  t.is(syncMap([]), undefined);
});
