import type { AttributeName } from '../../schemas/telemetry-attributes.ts';
import type { MetricDefinition } from '../../schemas/telemetry-names.ts';

/** Units that end a name, by UCUM; those in braces only say what is counted and end none. */
const UNIT_WORDS: Readonly<Record<string, string>> = {
  s: 'seconds',
  By: 'bytes',
  Hz: 'hertz',
  Cel: 'celsius',
  J: 'joules',
  W: 'watts',
};

/**
 * The name that a metric has in Prometheus, and in VictoriaMetrics with Prometheus naming: dots
 * become underscores, then come the unit and, for a counter, `_total`.
 * Source: OpenTelemetry, "Prometheus and OpenMetrics Compatibility", 1.45.
 */
export function prometheusName(
  name: string,
  { kind, unit }: Pick<MetricDefinition, 'kind' | 'unit'>,
): string {
  const words = prometheusLabel(name).split('_');
  const unitWord = UNIT_WORDS[unit];
  if (unitWord !== undefined && words.at(-1) !== unitWord) words.push(unitWord);
  if (kind === 'counter') words.push('total');
  return words.join('_');
}

/** The label that an attribute becomes there. */
export function prometheusLabel(attribute: AttributeName | (string & {})): string {
  return attribute.replaceAll(/[^A-Za-z0-9]/g, '_');
}
