import { LockstepError } from '../../schemas/errors.ts';
import { decodeMessage } from '../../schemas/protocol.ts';
import { SampleBlock } from '../../schemas/telemetry.ts';
import { verifyCheck } from './checked-json.ts';
import { LineSplitter, readChunks } from './line-reader.ts';
import type { Line } from './line-reader.ts';
import { LineDecoder } from './recorded-lines.ts';
import type { RecordedLine } from './recorded-lines.ts';
import { openRegular, readingError } from './regular-file.ts';

/** Name of the file of a run's samples: a line per block. */
export const SAMPLES_FILE = 'samples.ndjson';

/** What a block exists once by, and whose it is. */
export type BlockHead = Pick<
  SampleBlock,
  'runId' | 'trialId' | 'attempt' | 'deviceId' | 'sequence'
>;

const Head = SampleBlock.pick({
  protocol: true,
  runId: true,
  trialId: true,
  attempt: true,
  deviceId: true,
  sequence: true,
});

const ID = '"([a-z0-9-]{1,64})"';

/** How a line begins that a recorder wrote: the fields of the head come first. */
const HEAD = new RegExp(
  String.raw`^\{"protocol":1,"runId":${ID},"trialId":${ID},"attempt":([1-9]\d{0,14}),` +
    String.raw`"deviceId":${ID},"sequence":(\d{1,5}),`,
);

/** No head is longer than this, bytes. */
const HEAD_BYTES_MAX = 512;

/** The head of a block, from the begin of its text alone. Undefined if that is in other order. */
export function leadingHead(bytes: Uint8Array): BlockHead | undefined {
  const begin = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = HEAD.exec(begin.toString('latin1', 0, HEAD_BYTES_MAX));
  if (found === null) return undefined;
  const [, runId = '', trialId = '', attempt, deviceId = '', sequence] = found;
  return { runId, trialId, attempt: Number(attempt), deviceId, sequence: Number(sequence) };
}

/**
 * The head of a line, whose checksum is compared, but whose samples are not looked at: that is
 * twenty times as fast as to decode all of it.
 */
export function decodeHead(line: Line): RecordedLine<BlockHead> {
  const { number, bytes, isWhole } = line;
  const head =
    bytes !== undefined && isWhole && verifyCheck(bytes) === 'holds'
      ? leadingHead(bytes)
      : undefined;
  // What is wrong with it, or where else its head is, the decoder of whole lines tells.
  return head === undefined ? new LineDecoder(Head, true).decode(line) : { number, value: head };
}

/** Decodes a line as a whole. */
export function decodeBlock(line: Line): RecordedLine<SampleBlock> {
  const decoded = new LineDecoder(SampleBlock, true).decode(line);
  const fault = 'value' in decoded ? blockFault(decoded.value) : undefined;
  return fault === undefined ? decoded : { number: line.number, damage: fault };
}

/**
 * Decodes a block from the wire.
 *
 * @throws LockstepError MESSAGE_INVALID, PROTOCOL_UNSUPPORTED
 */
export function parseBlock(text: string, from: string): SampleBlock {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new LockstepError('MESSAGE_INVALID', `a block of ${from} is no JSON text`, { cause });
  }
  const block = decodeMessage(SampleBlock, value, from);
  const fault = blockFault(block);
  if (fault === undefined) return block;
  throw new LockstepError('MESSAGE_INVALID', `a block of ${from} is not consistent: ${fault}`);
}

/** What is wrong with a block that has the form of one. Undefined if nothing is. */
function blockFault({ groups }: SampleBlock): string | undefined {
  for (const { source, stepsNs, series } of groups) {
    for (const { metric, unit, attributes = {}, values } of series) {
      if (values.length !== stepsNs.length + 1) {
        return (
          `${metric} of ${source} has ${values.length} values at ` +
          `${stepsNs.length + 1} instants`
        );
      }
      const texts = [metric, unit, ...Object.keys(attributes), ...Object.values(attributes)];
      const bad = texts.find((text) => !text.isWellFormed() || text.includes('\0'));
      if (bad !== undefined) return `${JSON.stringify(bad)} is no text that tables can hold`;
    }
  }
  return undefined;
}

/**
 * The heads in the last part of a file of samples; damaged lines have none. Nothing if there is no
 * such file.
 */
export async function recentHeads(path: string, bytesMax: number): Promise<BlockHead[]> {
  const file = await openRegular(path);
  if (file === undefined) return [];
  try {
    const from = Math.max(0, (await file.stat()).size - bytesMax);
    const splitter = new LineSplitter();
    const heads: BlockHead[] = [];
    for await (const chunk of readChunks(file, from)) {
      for (const line of splitter.push(chunk)) {
        // The first one may have begun before.
        if (from > 0 && line.number === 1) continue;
        const decoded = decodeHead(line);
        if ('value' in decoded) heads.push(decoded.value);
      }
    }
    return heads;
  } catch (error) {
    throw readingError(error, path);
  } finally {
    await file.close();
  }
}
