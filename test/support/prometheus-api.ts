import { z } from 'zod';

const QUERY_TIMEOUT_MS = 10_000;

const Labels = z.record(z.string(), z.string());
const Point = z.tuple([z.number(), z.string()]);
const Answer = z.object({
  status: z.literal('success'),
  data: z.object({
    resultType: z.string(),
    result: z.array(
      z.object({ metric: Labels, value: Point.optional(), values: z.array(Point).optional() }),
    ),
  }),
});

/** One series of an answer. */
export interface QueriedSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** Instants, ms since 1970, and values, in the order of time. */
  readonly points: readonly (readonly [atUtcMs: number, value: number])[];
}

/** Times that a range query covers, ms since 1970. */
export interface QueryRange {
  readonly fromUtcMs: number;
  readonly toUtcMs: number;
  readonly stepMs: number;
}

/**
 * Asks a server for a query at one instant, by Prometheus' HTTP API.
 *
 * @throws Error with what the server answered.
 */
export async function queryInstant(
  url: string,
  query: string,
  atUtcMs: number,
): Promise<QueriedSeries[]> {
  return ask(`${url}/api/v1/query`, { query, time: seconds(atUtcMs), ...FRESH });
}

/**
 * Asks a server for a query over a range of time.
 *
 * @throws Error with what the server answered.
 */
export async function queryRange(
  url: string,
  query: string,
  { fromUtcMs, toUtcMs, stepMs }: QueryRange,
): Promise<QueriedSeries[]> {
  const range = { start: seconds(fromUtcMs), end: seconds(toUtcMs), step: seconds(stepMs) };
  return ask(`${url}/api/v1/query_range`, { query, ...range, ...FRESH });
}

/** VictoriaMetrics answers from a cache, and hides the newest 30 s, unless it is told not to. */
const FRESH = { nocache: '1', latency_offset: '1ms' };

async function ask(url: string, form: Record<string, string>): Promise<QueriedSeries[]> {
  const answer = await fetch(url, {
    method: 'POST',
    body: new URLSearchParams(form),
    signal: AbortSignal.timeout(QUERY_TIMEOUT_MS),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${form['query'] ?? ''}: ${answer.status} ${text}`);
  return Answer.parse(JSON.parse(text)).data.result.map(({ metric, value, values }) => ({
    labels: metric,
    points: (values ?? (value === undefined ? [] : [value])).map(
      ([atSeconds, number]) => [Math.round(atSeconds * 1000), Number(number)] as const,
    ),
  }));
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}
