import type {
  FastSource,
  OpenedSource,
  Reading,
  SlowSource,
} from '../../../agent/collectors/collector.ts';

/** The source, which must be one beside the loop. */
export function slow(source: OpenedSource): SlowSource {
  if ('unavailable' in source || source.pace !== 'slow') throw new Error(JSON.stringify(source));
  return source;
}

/** The source, which must be one in the loop. */
export function fast(source: OpenedSource): FastSource {
  if ('unavailable' in source || source.pace !== 'fast') throw new Error(JSON.stringify(source));
  return source;
}

/** Reads a source once, which must have something, and closes it. */
export async function readOnce(opened: OpenedSource): Promise<readonly Reading[]> {
  const source = slow(opened);
  try {
    const readings = await source.read();
    if (typeof readings === 'string') throw new Error(`it is ${readings}`);
    return readings;
  } finally {
    await source.close();
  }
}

/** A reading in one line: its metric, what tells it from others, and its value. */
export function line({ metric, attributes, value }: Reading): string {
  return [metric, ...Object.values(attributes ?? {}), value].join(' ');
}
