import { gzipSync } from 'node:zlib';
import { encodeMessage } from '../../schemas/protocol.ts';
import { BLOCK_ROUNDS_MAX, SampleBlock } from '../../schemas/telemetry.ts';
import type { SampleGroup } from '../../schemas/telemetry.ts';
import { SAMPLED_METRICS } from '../../schemas/telemetry-names.ts';
import type { SampledTrial } from './protocol.ts';
import type { SampleColumns } from './sample-columns.ts';

/** Values of one group, so that a group is a small part of a block. */
const GROUP_VALUES_MAX = 16_384;

/**
 * Characters of a block. Random digits are the worst that compression can meet; of them half of
 * this is left, 512 KiB.
 */
const BLOCK_CHARACTERS_MAX = 1024 * 1024;

/** As the schema has it. */
const BLOCK_GROUPS_MAX = 4096;

const GZIP_LEVEL = 1;

/** What all blocks of a trial say. */
export interface BlockContext {
  readonly trial: SampledTrial;
  readonly utcMinusMonoNs: bigint;
  /** Number of the first block. */
  readonly firstSequence: number;
}

/** Encodes samples as blocks: gzip of the JSON of SampleBlock each. */
export function* encodeBlocks(
  columns: readonly SampleColumns[],
  { trial, utcMinusMonoNs, firstSequence }: BlockContext,
): Generator<Uint8Array> {
  let sequence = firstSequence;
  let groups: string[] = [];
  let characters = 0;
  const block = (): Uint8Array => {
    const { runId, trialId, attempt, deviceId } = trial;
    const head = encodeMessage(SampleBlock, {
      ...{ runId, trialId, attempt, deviceId, utcMinusMonoNs },
      ...{ sequence, groups: [] },
    });
    // The groups are text already, since their length decides how many fit.
    const text = JSON.stringify(head).replace(/"groups":\[\]\}$/, '"groups":[');
    const bytes = gzipSync(`${text}${groups.join(',')}]}`, { level: GZIP_LEVEL });
    sequence += 1;
    groups = [];
    characters = 0;
    return bytes;
  };
  for (const group of groupTexts(columns)) {
    const isOver = characters + group.length > BLOCK_CHARACTERS_MAX;
    if (groups.length > 0 && (isOver || groups.length === BLOCK_GROUPS_MAX)) yield block();
    groups.push(group);
    characters += group.length + 1;
  }
  if (groups.length > 0) yield block();
}

function* groupTexts(columns: readonly SampleColumns[]): Generator<string> {
  for (const source of columns) {
    const { length } = source.monoNs;
    const perGroup = Math.floor(GROUP_VALUES_MAX / (source.series.length + 1));
    const rows = Math.max(1, Math.min(BLOCK_ROUNDS_MAX, perGroup));
    for (let from = 0; from < length; from += rows) {
      yield groupText(source, from, Math.min(from + rows, length));
    }
  }
}

function groupText(columns: SampleColumns, from: number, to: number): string {
  const { source, instance, monoNs } = columns;
  const stepsNs: number[] = [];
  for (let row = from + 1; row < to; row += 1) {
    stepsNs.push(Number((monoNs[row] ?? 0n) - (monoNs[row - 1] ?? 0n)));
  }
  const series = columns.series.map(({ metric, attributes, values }) => ({
    metric,
    unit: SAMPLED_METRICS[metric].unit,
    ...(attributes === undefined ? {} : { attributes }),
    // What is no number, NaN here, becomes null in JSON.
    values: Array.from(values.subarray(from, to)),
  }));
  const group: SampleGroup = {
    source,
    ...(instance === undefined ? {} : { instance }),
    firstMonoNs: monoNs[from] ?? 0n,
    stepsNs,
    series,
  };
  return JSON.stringify({ ...group, firstMonoNs: group.firstMonoNs.toString() });
}
