import { access } from 'node:fs/promises';
import { tellingTrials } from '../analysis/telling-trials.ts';
import type { TellingTrial } from '../analysis/telling-trials.ts';
import type { RunSummary } from '../analysis/run-summary.ts';
import { PHASES } from '../../schemas/result.ts';
import type { PhaseStamps } from '../../schemas/result.ts';
import type { RunFolder } from '../recording/run-folder.ts';
import type { TrialTelemetry } from '../report/telemetry-section.ts';
import { parseAttributes } from '../store/sample-columns.ts';
import { parquetOf } from './recorded-run.ts';
import type { OpenedTrials, Say } from './recorded-run.ts';

/** What telemetry is looked up for. */
export interface TelemetrySource {
  readonly folder: RunFolder;
  readonly summary: Pick<RunSummary, 'cells' | 'hosts'>;
  readonly trials: Pick<OpenedTrials, 'hasTables'>;
}

/**
 * What was sampled around the median and the worst trial of each cell. Where several agents share
 * the host, it is that of the first. Nothing for a run without samples.
 */
export async function trialTelemetry(
  { folder, summary, trials }: TelemetrySource,
  say: Say,
): Promise<TrialTelemetry[]> {
  const { cells, hosts } = summary;
  const names = ['samples.parquet', 'samples.ndjson'];
  const there = await Promise.all(names.map((name) => exists(folder.path(name))));
  if (!there.includes(true)) return [];
  if (!trials.hasTables && (await parquetOf(folder, say)) === undefined) return [];
  const { readTrialStamps } = await import('../store/read-stamps.ts');
  const { readTrialSamples } = await import('../store/read-samples.ts');
  const telling = tellingTrials(cells);
  const stamps = await readTrialStamps(folder.folder, telling);
  const chosen = telling.flatMap((trial) => {
    const deviceIds = hosts.find(({ host }) => host === trial.host)?.deviceIds ?? [trial.host];
    const own = stamps.find(
      ({ trialId, attempt, deviceId }) =>
        trialId === trial.trialId && attempt === trial.attempt && deviceIds.includes(deviceId),
    );
    const requestNs = own?.phases.request;
    return own === undefined || requestNs === undefined ? [] : [{ trial, own, requestNs }];
  });
  const samples = await readTrialSamples(
    folder.folder,
    chosen.map(({ own }) => own),
  );
  return chosen.map(({ trial, own, requestNs }) => {
    const series = samples.filter(
      ({ trialId, attempt, deviceId }) =>
        trialId === own.trialId && attempt === own.attempt && deviceId === own.deviceId,
    );
    return telemetryOf(trial, { ...own, requestNs, series });
  });
}

type Series = Awaited<ReturnType<(typeof import('../store/read-samples.ts'))['readTrialSamples']>>;

function telemetryOf(
  { role, cellId }: TellingTrial,
  found: {
    readonly trialId: string;
    readonly deviceId: string;
    readonly phases: PhaseStamps;
    readonly requestNs: bigint;
    readonly series: Series;
  },
): TrialTelemetry {
  const { trialId, deviceId, phases, requestNs } = found;
  const sinceRequestMs = (atMonoNs: bigint): number => Number(atMonoNs - requestNs) / 1e6;
  return {
    role,
    trialId,
    deviceId,
    cellId,
    phases: Object.fromEntries(
      PHASES.flatMap((phase): [string, number][] => {
        const atMonoNs = phases[phase];
        return atMonoNs === undefined ? [] : [[phase, sinceRequestMs(atMonoNs)]];
      }),
    ),
    series: found.series.map(({ source, metric, attributes, unit, instance, points }) => ({
      source,
      metric,
      unit,
      ...(attributes === undefined ? {} : { attributes: parseAttributes(attributes) }),
      ...(instance === undefined ? {} : { instance: `sandbox ${instance}` }),
      points: points.map(({ atMonoNs, value }) => ({
        sinceRequestMs: sinceRequestMs(atMonoNs),
        value,
      })),
    })),
  };
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
