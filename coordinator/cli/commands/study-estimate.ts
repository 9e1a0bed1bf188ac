import { errorCodeOf } from '../../../schemas/errors.ts';
import { toFailure } from '../../../schemas/failure.ts';
import type { Cell } from '../../../schemas/result.ts';
import { assertExperiment } from '../../experiment/experiment-file.ts';
import { cellsOf } from '../../planning/cells.ts';
import { assumptionText, estimate } from '../../study/estimate.ts';
import type { Assumptions, Estimate } from '../../study/estimate.ts';
import type { Client } from '../client.ts';
import { formatDuration } from '../duration.ts';
import type { Session } from '../session.ts';
import { askOnceProbed, submission } from '../submission.ts';
import { textTable } from '../text-table.ts';

/** An experiment that is to be run. */
export interface PlannedText {
  readonly name: string;
  readonly text: string;
}

interface Line extends Estimate {
  readonly name: string;
  readonly cells: number;
  readonly skipped: number;
  /** Why the fleet refuses it. Absent if it does not. */
  readonly refusal?: string;
}

/** Without a coordinator nobody knows the devices. */
const UNKNOWN_DEVICE: Assumptions = { processors: 2, hasKvm: false };

/**
 * Says how long experiments will take, each and all, and what that rests on.
 *
 * @param client of a coordinator whose fleet is asked what it can run; undefined: everything counts
 * @param to `say`: for people, beside the result; `result`: as the result; `json`: so as JSON
 */
export async function showEstimate(
  session: Session,
  client: Client | undefined,
  texts: readonly PlannedText[],
  to: 'say' | 'result' | 'json' = 'say',
): Promise<void> {
  const assumptions = client === undefined ? UNKNOWN_DEVICE : await assumptionsOf(client);
  const lines: Line[] = [];
  for (const planned of texts) lines.push(await lineOf(session, client, planned, assumptions));
  const leastMs = lines.reduce((sum, line) => sum + line.leastMs, 0);
  const mostMs = lines.reduce((sum, line) => sum + line.mostMs, 0);
  if (to === 'json') {
    const all = { assumptions, leastMs, mostMs, experiments: lines };
    session.output.result(JSON.stringify(all, null, 2));
    return;
  }
  const table = textTable(
    ['experiment', 'cells', 'left out', 'trials', 'takes about'],
    [...lines.map(rowOf), ['all', '', '', '', rangeText(leastMs, mostMs, formatDuration)]],
  );
  const text = `${table}\n${assumptionText(assumptions)}`;
  if (to === 'result') session.output.result(text);
  else session.output.say(text);
}

function rowOf(line: Line): string[] {
  if (line.refusal !== undefined) {
    return [line.name, '0', String(line.skipped), '0', `refused: ${line.refusal}`];
  }
  return [
    line.name,
    String(line.cells),
    String(line.skipped),
    rangeText(line.leastTrials, line.mostTrials, String),
    rangeText(line.leastMs, line.mostMs, formatDuration),
  ];
}

async function assumptionsOf(client: Client): Promise<Assumptions> {
  const { devices } = await client.ask('devices', {});
  const online = devices.filter((device) => device.online);
  if (online.length === 0) return UNKNOWN_DEVICE;
  const isFast = ({ presence }: (typeof online)[number]): boolean =>
    presence.sandboxes.some((one) => one.available && one.details['accelerator'] === 'kvm');
  return {
    processors: Math.min(...online.map(({ presence }) => presence.facts.cpuCount)),
    hasKvm: online.every(isFast),
  };
}

async function lineOf(
  session: Session,
  client: Client | undefined,
  { name, text }: PlannedText,
  assumptions: Assumptions,
): Promise<Line> {
  const experiment = assertExperiment(text, name);
  const wanted = cellsOf(experiment);
  const line = (cells: readonly Cell[]): Line => ({
    ...{ name, cells: cells.length, skipped: wanted.length - cells.length },
    ...estimate(experiment, cells, assumptions),
  });
  if (client === undefined) return line(wanted);
  try {
    const { plan } = await askOnceProbed(session, () => client.ask('plan', submission({ text })));
    const skipped = new Set(plan.skipped.map(({ cell }) => cell.id));
    return line(wanted.filter(({ id }) => !skipped.has(id)));
  } catch (error) {
    const code = errorCodeOf(error);
    if (session.signal.aborted || code === 'BUS_UNAVAILABLE' || code === 'INTERNAL') throw error;
    const [first = ''] = toFailure(error).message.split('\n');
    return { ...line([]), refusal: `${code}: ${first}` };
  }
}

function rangeText(least: number, most: number, format: (value: number) => string): string {
  const [lower, upper] = [format(least), format(most)];
  return lower === upper ? lower : `${lower} to ${upper}`;
}
